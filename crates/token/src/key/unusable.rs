//! Why something cannot be a key.

/// Why something cannot be a key. Nothing of what was given is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableKey {
    /// Fewer than 32 bytes.
    #[error("the secret has {bytes} bytes, and at least 32 are needed")]
    TooShort {
        /// How many there are.
        bytes: usize,
    },
    /// One byte, over and over.
    #[error("the secret is one byte repeated")]
    Repetitive,
    /// No `kid` of a token could be equal to it.
    #[error("a key's id has 1 to 256 characters")]
    BadId,
    /// Two keys of a fetched set have it, so it selects neither.
    #[error("another key of the set has the same `kid`")]
    DuplicateId,
    /// Not an Ed25519 key pair in PKCS #8.
    #[error("the document is not an Ed25519 key pair in PKCS #8")]
    BadDocument,
    /// A private or symmetric key where a public one is asked for.
    #[error("this is a private key, and nothing of it was kept")]
    Private,
    /// Neither PEM nor a JWK.
    #[error("this is neither a public key or certificate in PEM nor a JWK")]
    NotAKey,
    /// More than one key at once.
    #[error("there is more than one key here")]
    SeveralKeys,
    /// PEM whose label or content is something else.
    #[error("the PEM text is not a whole `PUBLIC KEY` or `CERTIFICATE`")]
    BadPem,
    /// A JWK that lacks something, or has it in another form.
    #[error("the JWK has no valid `{0}`")]
    BadMember(&'static str),
    /// Not RSA, not on a curve that we know, not Ed25519.
    #[error("the key is not of a supported kind")]
    UnknownKind,
    /// An elliptic curve other than P-256, P-384 and Ed25519.
    #[error("the key's curve is not supported")]
    UnknownCurve,
    /// Numbers that are no point of the key's curve.
    #[error("the key is not a point on its curve")]
    OffCurve,
    /// Its `use` is something else.
    #[error("the JWK's `use` is not `sig`")]
    NotForSignatures,
    /// Its `key_ops` leaves out what we would do with it.
    #[error("the JWK's `key_ops` does not contain `verify`")]
    NotForVerifying,
    /// The key cannot be used, or says it must not be used, in this way.
    #[error("the algorithm is not one of this key's")]
    WrongAlgorithm,
    /// An RSA key that is too short.
    #[error("the RSA key has {bits} bits, and at least 2048 are needed")]
    RsaTooShort {
        /// How many it has.
        bits: usize,
    },
    /// An RSA key that is too long.
    #[error("the RSA key has {bits} bits, and at most 8192 are supported")]
    RsaTooLong {
        /// How many it has.
        bits: usize,
    },
    /// An RSA exponent that is even, below 3, or over 33 bits.
    #[error("the RSA key's exponent is not an odd number of at least 3 and at most 33 bits")]
    WeakExponent,
    /// A modulus with a small factor, or one of those of CVE-2017-15361 (ROCA).
    #[error("the RSA key's modulus can be factored")]
    WeakModulus,
    /// An Ed25519 key for which anyone can make signatures.
    #[error("the Ed25519 key is one of the few points of small order")]
    SmallOrder,
}

impl UnusableKey {
    /// The stable code that API clients see.
    pub fn code(self) -> &'static str {
        match self {
            Self::Private => "private_key_refused",
            Self::TooShort { .. } | Self::Repetitive => "weak_key",
            Self::RsaTooShort { .. } | Self::WeakExponent => "weak_key",
            Self::WeakModulus | Self::SmallOrder => "weak_key",
            Self::BadId | Self::DuplicateId | Self::BadDocument => "unusable_key",
            Self::NotAKey | Self::SeveralKeys | Self::BadPem => "unusable_key",
            Self::BadMember(_) | Self::UnknownKind | Self::UnknownCurve => "unusable_key",
            Self::OffCurve | Self::NotForSignatures | Self::NotForVerifying => "unusable_key",
            Self::WrongAlgorithm | Self::RsaTooLong { .. } => "unusable_key",
        }
    }

    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::TooShort { .. } | Self::Repetitive => {
                "let us make the secret, or bring 32 random bytes or more"
            }
            Self::BadId => "give the key a shorter name",
            Self::DuplicateId => "give each key of the set its own `kid`",
            Self::BadDocument => "restore the document that was stored when the key was made",
            Self::Private => {
                "treat that key as leaked: make a new pair, and bring its public half only"
            }
            Self::NotAKey | Self::BadPem => {
                "paste the text from `-----BEGIN PUBLIC KEY-----` to `-----END PUBLIC KEY-----`, as `openssl pkey -pubout` prints it"
            }
            Self::SeveralKeys => "bring one key at a time; of a chain, the first certificate",
            Self::BadMember(_) => "paste the JWK as your library prints it",
            Self::UnknownKind | Self::UnknownCurve => {
                "use RSA with at least 2048 bits, P-256, P-384 or Ed25519"
            }
            Self::OffCurve => "copy the key again, whole",
            Self::NotForSignatures | Self::NotForVerifying => {
                "bring the key that tokens are signed with"
            }
            Self::WrongAlgorithm => {
                "RSA keys have RS256 to PS512, P-256 has ES256, P-384 has ES384, Ed25519 has EdDSA; a JWK's own `alg` stands"
            }
            Self::RsaTooShort { .. } | Self::RsaTooLong { .. } => "make a pair with 2048 bits",
            Self::WeakExponent | Self::WeakModulus | Self::SmallOrder => {
                "make a new pair with a library that is kept up to date"
            }
        }
    }
}
