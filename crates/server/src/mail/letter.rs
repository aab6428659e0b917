//! What stands in a mail that brings a one-time code.

use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;
use lettre::{
    Address, Message,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
};
use maitred_core::{
    agent::Origin,
    code::{CODE_LIVES_FOR, EmailAddress, OneTimeCode},
};

/// The most characters of a name in a subject.
const MAX_NAME: usize = 64;

/// A one-time code, and for whom.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) to: EmailAddress,
    pub(crate) code: OneTimeCode,
    /// The name of the agent that the visitor talks to.
    pub(crate) agent: String,
    /// The host of the site, as the operator configured it; never what the
    /// client says it is.
    pub(crate) site: Option<String>,
    /// When the code ends.
    pub(crate) until: Timestamp,
}

/// The letter cannot be put into the form of a mail.
#[derive(Debug)]
pub(super) struct Unwritable;

impl Letter {
    /// As it goes to the mail server.
    pub(super) fn message(&self, from: &Mailbox, now: Timestamp) -> Result<Message, Unwritable> {
        let (local, domain) = self.to.parts();
        let since = Duration::try_from(now.duration_since(Timestamp::UNIX_EPOCH));
        let written_at = UNIX_EPOCH + since.map_err(|_| Unwritable)?;
        let to = Address::new(local, domain).map_err(|_| Unwritable)?;
        let id = format!("<{}@{}>", uuid::Uuid::new_v4(), from.email.domain());
        // RFC 3834 §5: nobody's holiday note is an answer to this.
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(self.subject())
            .date(written_at)
            .message_id(Some(id))
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            .body(self.text())
            .map_err(|_| Unwritable)
    }

    fn subject(&self) -> String {
        format!("Your code for {}", self.place())
    }

    /// Plain text with the code on a line of its own, and nothing to click on.
    fn text(&self) -> String {
        let (place, code) = (self.place(), self.code.expose());
        let minutes = CODE_LIVES_FOR.as_mins();
        format!(
            "Hello,\n\n\
             to confirm your email address, type this code into your chat with\n\
             {place}:\n\n\
             {code}\n\n\
             It is good for {minutes} minutes. Nobody will ever call or write to you\n\
             to ask for it.\n\n\
             If you did not ask for this, ignore it: without the code nothing happens.\n"
        )
    }

    /// Whom the visitor talks to, and where.
    fn place(&self) -> String {
        let agent = one_line(&self.agent);
        match &self.site {
            Some(site) => format!("{agent} at {}", one_line(site)),
            None => agent,
        }
    }
}

/// The host of the configured origin that a page belongs to.
pub(crate) fn site_of(origins: &[Origin], page: &str) -> Option<String> {
    let origin = origins.iter().find(|origin| origin.admits(page))?;
    let (_, host) = origin.as_str().split_once("://")?;
    Some(host.strip_prefix("*.").unwrap_or(host).to_owned())
}

/// A name in a header: nothing in it can begin another line.
fn one_line(name: &str) -> String {
    let spaced = name.chars().map(|c| if c.is_control() { ' ' } else { c });
    let cut: String = spaced.take(MAX_NAME).collect();
    cut.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(agent: &str) -> Letter {
        Letter {
            to: EmailAddress::parse("sarah@shop.example").unwrap(),
            code: OneTimeCode::parse("012345").unwrap(),
            agent: agent.to_owned(),
            site: Some("shop.example".to_owned()),
            until: Timestamp::MAX,
        }
    }

    fn written(letter: &Letter) -> String {
        let from = "Shop <chat@shop.example>".parse().unwrap();
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        String::from_utf8(letter.message(&from, now).unwrap().formatted()).unwrap()
    }

    #[test]
    fn a3_the_mail_says_what_it_is_for_and_holds_nothing_to_click_on() {
        let mail = written(&letter("Ada"));

        let (head, body) = mail.split_once("\r\n\r\n").unwrap();
        let id = head.lines().find(|line| line.starts_with("Message-ID: <"));
        let head: Vec<&str> = head.lines().filter(|line| Some(*line) != id).collect();
        assert_eq!(
            head,
            [
                "From: Shop <chat@shop.example>",
                "To: sarah@shop.example",
                "Subject: Your code for Ada at shop.example",
                "Date: Sun, 01 Mar 2026 12:00:00 +0000",
                "Auto-Submitted: auto-generated",
                "Content-Type: text/plain; charset=utf-8",
                "Content-Transfer-Encoding: 7bit",
            ]
        );
        assert!(id.unwrap().ends_with("@shop.example>"));
        assert!(body.lines().any(|line| line == "012345"), "{body}");
        assert!(body.contains("If you did not ask for this, ignore it"));
        for link in ["http", "www.", "<"] {
            assert!(!body.contains(link), "{body}");
        }
    }

    #[test]
    fn a3_no_name_of_an_agent_can_add_a_header() {
        for name in [
            "Ada\r\nBcc: tom@evil.example",
            "Ada\nBcc: tom@evil.example",
            "Ada\r\n\r\nClick here",
            "Ada\u{0}\u{85}Bcc: x",
        ] {
            let mail = written(&letter(name));

            let (head, _) = mail.split_once("\r\n\r\n").unwrap();
            assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
            assert_eq!(head.matches("To: ").count(), 1, "{head}");
        }
        let long = "x".repeat(500);
        assert!(letter(&long).subject().chars().count() < 100);
        let encoded = written(&letter("Zoë"));
        assert!(
            encoded.contains("=?utf-8?") && encoded.is_ascii(),
            "{encoded}"
        );
    }

    #[test]
    fn a3_the_site_is_the_operators_word_and_not_the_clients() {
        let origins: Vec<Origin> = ["https://shop.example", "https://*.other.example"]
            .iter()
            .map(|origin| Origin::parse(origin).unwrap())
            .collect();
        let site = |page| site_of(&origins, page);

        assert_eq!(
            site("https://shop.example").as_deref(),
            Some("shop.example")
        );
        assert_eq!(
            site("https://call-0900-now.other.example").as_deref(),
            Some("other.example")
        );
        assert_eq!(site("https://evil.example"), None);
    }
}
