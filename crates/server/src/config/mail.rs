//! `[mail]`: which server sends one-time codes, and as whom.

use std::fmt;

use anyhow::{Context, bail, ensure};
use lettre::message::Mailbox;
use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use serde::Deserialize;
use url::{Host, Url};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mail {
    url: String,
    url_file: String,
    from: String,
}

/// A mail server, and whom mail is from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) encryption: Encryption,
    pub(crate) login: Option<Login>,
    pub(crate) from: Mailbox,
}

/// How what is sent is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// TLS from the first byte: `smtps://`.
    Tls,
    /// TLS after a word in the clear, or nothing is sent: `smtp://`.
    StartTls,
    /// None, since it does not leave the machine: `smtp://localhost`.
    Loopback,
}

/// A user of the mail server.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: SecretString,
}

impl fmt::Display for Settings {
    /// Without the login.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.encryption {
            Encryption::Tls => "TLS",
            Encryption::StartTls => "STARTTLS",
            Encryption::Loopback => "not encrypted, on this machine",
        };
        write!(f, "{} from {}:{} ({how})", self.from, self.host, self.port)
    }
}

impl Mail {
    /// What is set, if anything is. No error repeats the URL: it holds a password.
    pub(super) fn parsed(self) -> anyhow::Result<Option<Settings>> {
        let url = match (self.url.as_str(), self.url_file.as_str()) {
            ("", "") => return Ok(None),
            (url, "") => url.to_owned(),
            ("", file) => std::fs::read_to_string(file)
                .with_context(|| format!("cannot read `mail.url_file`, `{file}`"))?,
            _ => bail!("`mail.url` and `mail.url_file` are both set; keep one of them"),
        };
        let from = self.from.parse().ok().with_context(|| {
            format!(
                "`mail.from` must say whom mail is from, like `Support <support@shop.example>`; it is `{}`",
                self.from
            )
        })?;
        server(url.trim(), from).map(Some)
    }
}

fn server(text: &str, from: Mailbox) -> anyhow::Result<Settings> {
    const FORM: &str = "`mail.url` must be like `smtps://user:password@mail.example:465`, or `smtp://mail.example:587` for STARTTLS";
    let url = Url::parse(text).ok().context(FORM)?;
    let host = match url.host() {
        // The scheme is none that the library would look at names of hosts for.
        Some(Host::Domain(name)) => Host::parse(name).ok().context(FORM)?,
        Some(Host::Ipv4(address)) => Host::Ipv4(address),
        Some(Host::Ipv6(address)) => Host::Ipv6(address),
        None => bail!(FORM),
    };
    let is_bare =
        matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    ensure!(is_bare, FORM);
    let (encryption, usual_port) = match url.scheme() {
        "smtps" => (Encryption::Tls, 465),
        "smtp" if is_loopback(&host) => (Encryption::Loopback, 25),
        "smtp" => (Encryption::StartTls, 587),
        _ => bail!(FORM),
    };
    Ok(Settings {
        host: match host {
            Host::Domain(name) => name,
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        },
        port: url.port().unwrap_or(usual_port),
        encryption,
        login: login(&url).context(FORM)?,
        from,
    })
}

/// `Ok(None)` without a user; a user without a password cannot log in.
fn login(url: &Url) -> anyhow::Result<Option<Login>> {
    let decoded = |text: &str| -> anyhow::Result<String> {
        Ok(percent_decode_str(text).decode_utf8()?.into_owned())
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        (user, Some(password)) if !user.is_empty() => Ok(Some(Login {
            user: decoded(user)?,
            password: decoded(password)?.into(),
        })),
        _ => bail!("a user and a password, or neither"),
    }
}

fn is_loopback(host: &Host<String>) -> bool {
    match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn set(url: &str) -> anyhow::Result<Option<Settings>> {
        let mail = Mail {
            url: url.to_owned(),
            url_file: String::new(),
            from: "Support <support@shop.example>".to_owned(),
        };
        mail.parsed()
    }

    #[test]
    fn a3_mail_is_encrypted_unless_it_stays_on_the_machine() {
        for (url, encryption, host, port) in [
            ("smtps://mail.example", Encryption::Tls, "mail.example", 465),
            ("smtps://localhost:4650", Encryption::Tls, "localhost", 4650),
            (
                "smtp://mail.example",
                Encryption::StartTls,
                "mail.example",
                587,
            ),
            ("smtp://10.0.0.5:25", Encryption::StartTls, "10.0.0.5", 25),
            (
                "smtp://localhost.evil.example",
                Encryption::StartTls,
                "localhost.evil.example",
                587,
            ),
            ("smtp://localhost", Encryption::Loopback, "localhost", 25),
            (
                "smtp://127.0.0.1:2525",
                Encryption::Loopback,
                "127.0.0.1",
                2525,
            ),
            ("smtp://[::1]:2525", Encryption::Loopback, "::1", 2525),
        ] {
            let settings = set(url).unwrap().unwrap();

            assert_eq!(settings.encryption, encryption, "{url}");
            assert_eq!((settings.host.as_str(), settings.port), (host, port));
        }
        assert!(set("").unwrap().is_none());
    }

    #[test]
    fn a_login_is_read_with_its_special_characters() {
        let settings = set("smtps://ada%40shop.example:p%2Fw%3A1@mail.example").unwrap();

        let login = settings.unwrap().login.unwrap();
        assert_eq!(login.user, "ada@shop.example");
        assert_eq!(login.password.expose_secret(), "p/w:1");
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_repeating_it() {
        for url in [
            "mail.example:465",
            "https://ada:hunter2@mail.example",
            "smtps://ada:hunter2@mail.example/path",
            "smtps://ada:hunter2@mail.example?tls=none",
            "smtps://hunter2@mail.example",
            "smtps://:hunter2@mail.example",
            "smtps://ada:hunter2@",
            "smtps://ada:hunter2%ff@mail.example",
            "smtps://ada:hunter2@mail example",
        ] {
            let error = format!("{:?}", set(url).unwrap_err());

            assert!(error.contains("`mail.url`"), "{url}: {error}");
            assert!(!error.contains("hunter2"), "{url}: {error}");
        }
        assert!(!format!("{:?}", set("smtps://ada:hunter2@mail.example")).contains("hunter2"));
    }

    #[test]
    fn a_server_without_a_sender_is_refused() {
        for from in [
            "",
            "support",
            "Support <support@>",
            "a@b.example, c@d.example",
        ] {
            let mail = Mail {
                url: "smtps://mail.example".to_owned(),
                url_file: String::new(),
                from: from.to_owned(),
            };

            let error = format!("{:#}", mail.parsed().unwrap_err());
            assert!(error.contains("`mail.from`"), "{from}: {error}");
        }
    }

    #[test]
    fn the_url_can_stand_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mail");
        std::fs::write(&path, "smtps://ada:hunter2@mail.example\n").unwrap();
        let with = |url: &str| Mail {
            url: url.to_owned(),
            url_file: path.display().to_string(),
            from: "a@b.example".to_owned(),
        };

        let settings = with("").parsed().unwrap().unwrap();

        assert_eq!(settings.login.unwrap().password.expose_secret(), "hunter2");
        let both = with("smtps://mail.example").parsed().unwrap_err();
        assert!(both.to_string().contains("keep one of them"), "{both}");
    }
}
