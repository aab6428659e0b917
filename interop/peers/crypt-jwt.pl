# Crypt::JWT, for Perl.
use strict;
use warnings;
use Crypt::JWT qw(encode_jwt decode_jwt);
use JSON::PP;

my $json = JSON::PP->new->utf8->canonical;

sub signed {
    my ($job) = @_;
    my $key = $job->{secret} // \$job->{pem};
    my %how = $job->{alg} eq 'none' ? (allow_none => 1) : (key => $key);
    my $token = encode_jwt(
        payload => $job->{claims}, alg => $job->{alg},
        extra_headers => { kid => $job->{kid} }, %how,
    );
    return { token => $token };
}

sub verified {
    my ($job) = @_;
    my $key = $job->{secret} // $job->{jwk};
    return { claims => decode_jwt(token => $job->{token}, key => $key, accepted_alg => $job->{alg}) };
}

my %does = (sign => \&signed, verify => \&verified);
$| = 1;
while (my $line = <STDIN>) {
    my $job = $json->decode($line);
    my $said = eval { $does{ $job->{do} }->($job) } // { error => "$@" };
    print $json->encode($said), "\n";
}
