//! A mail server on loopback that keeps what it is given.
//!
//! It stands in for the operator's: a mail server is none of ours. It speaks just
//! enough SMTP for one client; the end-to-end tests use a whole one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Mutex, mpsc},
};

/// What it says to who brings a mail.
#[derive(Clone, Copy)]
pub(crate) enum Mood {
    /// Yes.
    Willing,
    /// Not now, that many times; then yes.
    Busy(usize),
    /// Never, and it repeats the address, as many do.
    Unwilling,
    /// Nothing at all.
    Silent,
}

/// The server, and the letters it was given.
pub(crate) struct PostOffice {
    url: String,
    letters: Mutex<mpsc::UnboundedReceiver<Letter>>,
    connections: Arc<AtomicUsize>,
}

/// A mail as it came: to whom, and its text with the header.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) to: String,
    pub(crate) text: String,
}

impl Letter {
    /// The line of six digits.
    pub(crate) fn code(&self) -> &str {
        self.text
            .lines()
            .find(|line| line.len() == 6 && line.bytes().all(|b| b.is_ascii_digit()))
            .expect("a line with a code")
    }
}

impl PostOffice {
    pub(crate) async fn open(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let (sender, letters) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = connections.clone();
        #[expect(clippy::disallowed_methods, reason = "ends with the test")]
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let sender = sender.clone();
                #[expect(clippy::disallowed_methods, reason = "ends with the test")]
                tokio::spawn(async move { serve(stream, mood, number, &sender).await });
            }
        });
        Self {
            url,
            letters: Mutex::new(letters),
            connections,
        }
    }

    /// The settings of a maitred that sends by it.
    pub(crate) fn settings(&self) -> [(&str, &str); 2] {
        [
            ("MAIL__URL", self.url.as_str()),
            ("MAIL__FROM", "Shop <chat@shop.example>"),
        ]
    }

    /// The next letter.
    pub(crate) async fn letter(&self) -> Letter {
        let mut letters = self.letters.lock().await;
        tokio::time::timeout(Duration::from_secs(30), letters.recv())
            .await
            .expect("a letter within 30 s")
            .unwrap()
    }

    /// Whether there is a letter that nobody has read.
    pub(crate) async fn has_letters(&self) -> bool {
        !self.letters.lock().await.is_empty()
    }

    /// How often somebody came.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// One conversation, as far as it goes.
async fn serve(
    stream: TcpStream,
    mood: Mood,
    number: usize,
    letters: &mpsc::UnboundedSender<Letter>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    if let Mood::Silent = mood {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        return None;
    }
    say(&mut stream, "220 post.example ESMTP").await?;
    let mut to = String::new();
    loop {
        let line = hear(&mut stream).await?;
        let command = line.to_ascii_uppercase();
        let answer = if command.starts_with("RCPT TO:") {
            to = line.split(['<', '>']).nth(1)?.to_owned();
            match mood {
                Mood::Busy(times) if number < times => "451 4.7.1 try again later".to_owned(),
                Mood::Unwilling => format!("550 5.1.1 <{to}>: no such user here"),
                Mood::Willing | Mood::Busy(_) | Mood::Silent => "250 OK".to_owned(),
            }
        } else if command == "DATA" {
            say(&mut stream, "354 go on").await?;
            let text = dictated(&mut stream).await?;
            _ = letters.send(Letter {
                to: std::mem::take(&mut to),
                text,
            });
            "250 OK".to_owned()
        } else if command == "QUIT" {
            "221 bye".to_owned()
        } else {
            "250 OK".to_owned()
        };
        say(&mut stream, &answer).await?;
    }
}

async fn say(stream: &mut BufReader<TcpStream>, line: &str) -> Option<()> {
    let line = format!("{line}\r\n");
    stream.get_mut().write_all(line.as_bytes()).await.ok()
}

async fn hear(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end().to_owned())
}

/// The mail up to the line with nothing but a dot.
async fn dictated(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut text = String::new();
    loop {
        let line = hear(stream).await?;
        if line == "." {
            return Some(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push('\n');
    }
}
