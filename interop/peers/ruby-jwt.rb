# ruby-jwt, for Ruby.
require "json"
require "jwt"
require "openssl"
require "rbnacl"

# An Ed25519 key stands in the last 32 bytes of its document.
def ed25519(kind, pem)
  kind.new(pem.lines.reject { |line| line.start_with?("-----") }.join.unpack1("m")[-32..])
end

def sign(job)
  alg, pem = job.values_at("alg", "pem")
  key =
    if alg == "none" then nil
    elsif alg == "EdDSA" then ed25519(RbNaCl::Signatures::Ed25519::SigningKey, pem)
    else job["secret"] || OpenSSL::PKey.read(pem)
    end
  { token: JWT.encode(job["claims"], key, alg, { kid: job["kid"] }) }
end

def verify(job)
  alg, pem = job.values_at("alg", "pem")
  key =
    if alg == "EdDSA" then ed25519(RbNaCl::Signatures::Ed25519::VerifyKey, pem)
    else job["secret"] || OpenSSL::PKey.read(pem)
    end
  claims, = JWT.decode(job["token"], key, true, { algorithm: alg })
  { claims: claims }
end

$stdout.sync = true
$stdin.each_line do |line|
  job = JSON.parse(line)
  said =
    begin
      { "sign" => method(:sign), "verify" => method(:verify) }.fetch(job["do"]).call(job)
    rescue StandardError => error
      { error: "#{error.class}: #{error.message}" }
    end
  puts JSON.generate(said)
end
