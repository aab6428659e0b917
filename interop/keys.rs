//! The keys of this run.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maitred_token::{Algorithm, PublicKey, Secret, SecretKind};

/// A secret as `maitred key create` prints it. HS512 asks for 64 bytes, but one of
/// ours has 58, and every library takes it.
pub(crate) static SECRET: LazyLock<String> =
    LazyLock::new(|| Secret::generate(SecretKind::Test).expose().to_owned());

/// A key pair as a backend has it.
pub(crate) struct Pair {
    pub(crate) private_pem: String,
    pub(crate) public_pem: String,
}

static RSA: LazyLock<Pair> = LazyLock::new(Pair::rsa);
static P256: LazyLock<Pair> = LazyLock::new(|| Pair::ec(&ECDSA_P256_SHA256_FIXED_SIGNING));
static P384: LazyLock<Pair> = LazyLock::new(|| Pair::ec(&ECDSA_P384_SHA384_FIXED_SIGNING));
static ED25519: LazyLock<Pair> = LazyLock::new(Pair::ed25519);

/// The pair that signs in this way, unless it is done with [`SECRET`].
pub(crate) fn pair(algorithm: Algorithm) -> Option<&'static Pair> {
    match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => None,
        Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => Some(&RSA),
        Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => Some(&RSA),
        Algorithm::Es256 => Some(&P256),
        Algorithm::Es384 => Some(&P384),
        Algorithm::EdDsa => Some(&ED25519),
    }
}

impl Pair {
    /// One that nobody told us of.
    pub(crate) fn other(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Es256 => Self::ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => Self::ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::EdDsa => Self::ed25519(),
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => panic!("it has no pair"),
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => Self::rsa(),
            Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => Self::rsa(),
        }
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey::parse(&self.public_pem).unwrap()
    }

    fn rsa() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public = pair.public_key().as_der().unwrap();
        Self::new(private.as_ref(), public.as_ref())
    }

    fn ec(curve: &'static EcdsaSigningAlgorithm) -> Self {
        let pair = EcdsaKeyPair::generate(curve).unwrap();
        let private = pair.to_pkcs8v1().unwrap();
        let public = pair.public_key().as_der().unwrap();
        Self::new(private.as_ref(), public.as_ref())
    }

    fn ed25519() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let private = pair.to_pkcs8v1().unwrap();
        let public = pair.public_key().as_der().unwrap();
        Self::new(private.as_ref(), public.as_ref())
    }

    fn new(private: &[u8], public: &[u8]) -> Self {
        Self {
            private_pem: pem("PRIVATE KEY", private),
            public_pem: pem("PUBLIC KEY", public),
        }
    }
}

/// The public half of one of our assertion keys, as PEM.
pub(crate) fn ed25519_pem(key: &[u8]) -> String {
    // SubjectPublicKeyInfo of RFC 8410, all but the key.
    const BEFORE: &[u8] = &[0x30, 42, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 33, 0];
    pem("PUBLIC KEY", &[BEFORE, key].concat())
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> = (0..body.len())
        .step_by(64)
        .map(|at| &body[at..body.len().min(at + 64)])
        .collect();
    let lines = lines.join("\n");
    format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
}
