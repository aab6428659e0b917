use maitred_core::code::{EmailAddress, OneTimeCode};
use secrecy::SecretString;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use super::*;
use crate::config::mail::Login;

/// A server that offers no encryption, and what it hears of one client.
async fn hears(encryption: Encryption) -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = Settings {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
        encryption,
        login: Some(Login {
            user: "ada".to_owned(),
            password: SecretString::from("hunter2"),
        }),
        from: "chat@shop.example".parse().unwrap(),
    };
    let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
    let until = clock.now() + maitred_core::code::CODE_LIVES_FOR;
    let public_url = "https://support.example";
    let mailer = Mailer::new(&settings, public_url, clock, Tasks::default()).unwrap();
    let letter = Letter {
        to: EmailAddress::parse("sarah@shop.example").unwrap(),
        code: OneTimeCode::generate(),
        agent: "Ada".to_owned(),
        site: None,
        until,
    };

    let listening = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut heard = Vec::new();
        stream.write_all(b"220 post.example\r\n").await.unwrap();
        let mut line = String::new();
        while stream.read_line(&mut line).await.is_ok_and(|n| n > 0) {
            heard.push(line.trim_end().to_owned());
            let answer: &[u8] = match line.starts_with("EHLO") {
                true => b"250-post.example\r\n250 AUTH PLAIN\r\n",
                false => b"554 no\r\n",
            };
            line.clear();
            if stream.write_all(answer).await.is_err() {
                break;
            }
        }
        heard
    };
    let (heard, sent) = tokio::join!(listening, mailer.attempt(&letter));
    assert!(sent.is_err());
    heard
}

#[tokio::test]
async fn a3_without_the_encryption_that_is_asked_for_nothing_is_said() {
    let heard = hears(Encryption::StartTls).await;

    assert_eq!(heard[0], "EHLO support.example");
    for line in &heard {
        for part in ["AUTH", "MAIL", "RCPT", "sarah"] {
            assert!(!line.contains(part), "{heard:?}");
        }
    }
    // It is the offer that is missing: on the machine itself it would be said.
    let heard = hears(Encryption::Loopback).await;
    assert!(heard[1].starts_with("AUTH PLAIN"), "{heard:?}");
}
