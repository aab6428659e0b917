//! One-time codes: proof that somebody reads the mail of an address (rule A3).
//!
//! Less than a sign-in: who can read one mail is not yet the person. A code opens
//! Actions that ask for it, links no history and merges nothing (rule A2).
//!
//! Not here: how many may be asked for and tried (`store::codes`), and how they
//! are sent (`server::mail`).

use std::fmt;

use aws_lc_rs::rand;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

/// How long a code may be typed in.
pub const CODE_LIVES_FOR: SignedDuration = SignedDuration::from_mins(10);
/// How long what it proved counts.
pub const PROOF_LIVES_FOR: SignedDuration = SignedDuration::from_mins(30);

/// Six digits that were sent to an address.
pub struct OneTimeCode(SecretString);

impl OneTimeCode {
    /// Takes one from the operating system's generator. All are equally likely.
    pub fn generate() -> Self {
        loop {
            let mut bytes = [0; 4];
            rand::fill(&mut bytes).expect("the operating system's generator works from boot on");
            if let Some(digits) = digits(u32::from_le_bytes(bytes)) {
                return Self(digits.into());
            }
        }
    }

    /// What somebody typed: white space and hyphens are passed over. `None` if
    /// that cannot be a code.
    pub fn parse(text: &str) -> Option<Self> {
        let typed = |c: &char| !c.is_whitespace() && *c != '-';
        // One more than six, so that a longer one is no code.
        let digits: String = text.chars().filter(typed).take(7).collect();
        (digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| Self(digits.into()))
    }

    /// The digits.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeCode([hidden])")
    }
}

/// Six digits of twenty random bits. Those that would come twice are refused: a
/// remainder would make some codes likelier than others.
fn digits(random: u32) -> Option<String> {
    let bits = random & 0xf_ffff;
    (bits < 1_000_000).then(|| format!("{bits:06}"))
}

/// An address that mail can be sent to: `local@domain`, in ASCII, without quotes,
/// comments or anything else that could end a line or begin a second address.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress(String);

/// Why a text is no address that a code can be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("that is no email address that mail can be sent to")]
pub struct EmailAddressError;

impl EmailAddress {
    /// The most characters of an address (RFC 5321 §4.5.3.1.3), and of the part
    /// before the `@` (§4.5.3.1.1).
    const MAX: usize = 254;
    const MAX_LOCAL: usize = 64;

    /// Takes what somebody typed; spaces around it are dropped.
    pub fn parse(text: &str) -> Result<Self, EmailAddressError> {
        let text = text.trim();
        let (local, domain) = text.split_once('@').ok_or(EmailAddressError)?;
        let fits = text.len() <= Self::MAX && local.len() <= Self::MAX_LOCAL;
        if fits && is_local(local) && is_domain(domain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(EmailAddressError)
        }
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is before the `@`, and what is behind it.
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once('@').unwrap_or((&self.0, ""))
    }

    /// Whether another spelling means the same address: domains know no case,
    /// the part before the `@` is its server's business.
    pub fn is(&self, other: &str) -> bool {
        let (local, domain) = self.parts();
        other
            .split_once('@')
            .is_some_and(|(l, d)| l == local && d.eq_ignore_ascii_case(domain))
    }

    /// The mailbox that is counted for: without case, and without what many
    /// servers let one add behind a `+`. Else one mailbox would have no end of
    /// names, and each its own limit.
    pub fn mailbox(&self) -> String {
        let (local, domain) = self.parts();
        let local = local.split('+').next().filter(|it| !it.is_empty());
        format!("{}@{domain}", local.unwrap_or("+")).to_ascii_lowercase()
    }
}

impl fmt::Debug for EmailAddress {
    /// An address is nobody's to log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress([hidden])")
    }
}

/// RFC 5322 §3.2.3: a `dot-atom`.
fn is_local(local: &str) -> bool {
    let atext = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.bytes().all(atext))
}

/// RFC 5321 §4.1.2, of at least two labels: no address of a machine, no literal.
fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let number = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
    domain.split('.').all(label)
        && domain
            .rsplit_once('.')
            .is_some_and(|(_, last)| !number(last))
}

/// An address that the holder of a session has proven to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenAddress {
    /// The address.
    pub address: EmailAddress,
    /// Until when that counts.
    pub until: Timestamp,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a3_every_code_is_equally_likely() {
        let all: Vec<String> = (0..=0xf_ffff).filter_map(digits).collect();

        assert_eq!(all.len(), 1_000_000);
        assert!(all.iter().all(|code| code.len() == 6));
        let different: HashSet<&String> = all.iter().collect();
        assert_eq!(different.len(), 1_000_000);
        assert_eq!(digits(0xfff0_0007).as_deref(), Some("000007"));
    }

    #[test]
    fn a3_codes_differ_and_do_not_show_in_debug_output() {
        let codes: HashSet<String> = (0..100)
            .map(|_| OneTimeCode::generate().expose().to_owned())
            .collect();

        assert!(codes.len() > 90, "{}", codes.len());
        assert!(codes.iter().all(|code| OneTimeCode::parse(code).is_some()));
        let printed = format!("{:?}", OneTimeCode::parse("123456"));
        assert!(!printed.contains("123456"), "{printed}");
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let read = |text| OneTimeCode::parse(text).map(|code| code.expose().to_owned());

        for text in ["012345", " 012 345\n", "012-345"] {
            assert_eq!(read(text).as_deref(), Some("012345"));
        }
        for text in ["", "12345", "1234567", "12345a", "１２３４５６"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a3_an_address_is_one_address_and_no_header() {
        for text in [
            "sarah@shop.example",
            " sarah@shop.example ",
            "sarah+orders@mail.shop.example",
            "o'brien_1@shop.example",
            "a@b.co",
        ] {
            let address = EmailAddress::parse(text).unwrap();
            assert_eq!(address.as_str(), text.trim());
        }
        let long = format!("{}@shop.example", "x".repeat(65));
        let longer = format!("x@{}.example", "shop.".repeat(60));
        for text in [
            "",
            "sarah",
            "@shop.example",
            "sarah@",
            "sarah@shop",
            "sarah@@shop.example",
            "sarah@shop.example@evil.example",
            "sarah@shop.example, tom@shop.example",
            "sarah@shop.example\r\nBcc: tom@evil.example",
            "sarah\n@shop.example",
            "sarah\0@shop.example",
            "\"sarah miller\"@shop.example",
            "Sarah <sarah@shop.example>",
            "sarah@[127.0.0.1]",
            "sarah@127.0.0.1",
            "sarah@-shop.example",
            "sarah@shop..example",
            ".sarah@shop.example",
            "sarah.@shop.example",
            "särah@shop.example",
            "sarah@shöp.example",
            "sarah@shop.example\u{202e}",
            long.as_str(),
            longer.as_str(),
        ] {
            assert_eq!(
                EmailAddress::parse(text),
                Err(EmailAddressError),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a3_one_mailbox_has_one_limit_however_it_is_written() {
        let mailbox = |text| EmailAddress::parse(text).unwrap().mailbox();

        for text in [
            "Sarah@Shop.Example",
            "sarah+1@shop.example",
            "sarah+a+b@shop.example",
        ] {
            assert_eq!(mailbox(text), "sarah@shop.example");
        }
        assert_ne!(mailbox("sarah.m@shop.example"), "sarah@shop.example");
        assert_eq!(mailbox("+@shop.example"), "+@shop.example");
    }

    #[test]
    fn t5_another_spelling_of_the_domain_is_the_same_address() {
        let address = EmailAddress::parse("sarah@Shop.example").unwrap();

        assert!(address.is("sarah@shop.EXAMPLE"));
        assert!(!address.is("Sarah@shop.example"));
        assert!(!address.is("sarah@shop.example.evil.example"));
        assert!(!address.is("sarah"));
    }

    #[test]
    fn an_address_does_not_show_in_debug_output() {
        let address = EmailAddress::parse("sarah@shop.example");

        assert!(!format!("{address:?}").contains("sarah"));
    }
}
