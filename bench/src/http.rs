//! As much of HTTP/1.1 as our own server's answers need: a request and its answer
//! over a connection that stays open, and a stream of server-sent events.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::Failure;

/// One connection, for one request after another.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, read to its end.
pub struct Answer<'c> {
    pub status: u16,
    /// The nonce for a proof of possession.
    pub nonce: Option<String>,
    pub body: &'c [u8],
}

impl Connection {
    pub async fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(16 * 1024),
        })
    }

    /// Sends a request and reads its answer to the end.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, Failure> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            self.read().await?;
            if let Some(head) = Head::in_front_of(&self.buffer)? {
                break head;
            }
        };
        let length = head.length.unwrap_or(0);
        while self.buffer.len() < head.end + length {
            self.read().await?;
        }
        Ok(Answer {
            status: head.status,
            nonce: head.nonce,
            body: &self.buffer[head.end..head.end + length],
        })
    }

    /// Sends a request and reads its answer, which comes in chunks, to the end.
    pub async fn exchange_chunked(&mut self, request: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        while !self.buffer.ends_with(b"0\r\n\r\n") {
            self.read().await?;
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), Failure> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err("the server hung up".into()),
            _ => Ok(()),
        }
    }
}

/// What is looked at of an answer's head.
struct Head {
    status: u16,
    length: Option<usize>,
    nonce: Option<String>,
    /// Where the body begins.
    end: usize,
}

impl Head {
    /// None if it has not come to its end yet.
    fn in_front_of(bytes: &[u8]) -> Result<Option<Self>, Failure> {
        let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&bytes[..at])?;
        let of = |name: &str| {
            head.lines().find_map(|line| {
                let (found, value) = line.split_once(": ")?;
                found.eq_ignore_ascii_case(name).then_some(value)
            })
        };
        Ok(Some(Self {
            status: head.get(9..12).ok_or("no status")?.parse()?,
            length: of("content-length").map(str::parse).transpose()?,
            nonce: of("dpop-nonce").map(str::to_owned),
            end: at + 4,
        }))
    }
}

/// A stream of server-sent events.
pub struct Events {
    stream: TcpStream,
    /// As it came: chunks with their lengths.
    raw: Vec<u8>,
    /// What the chunks hold: whole lines, and the beginning of one.
    text: Vec<u8>,
    /// How many bytes may still come before the connection is cut.
    left: usize,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: Option<String>,
    pub name: String,
    pub data: String,
}

impl Events {
    /// Follows a session's events from there on, over a connection from `local`.
    pub async fn open(
        address: &str,
        session: &str,
        last: Option<&str>,
        local: Option<IpAddr>,
    ) -> Result<Self, Failure> {
        let mut stream = connect(address, local).await?;
        let last = last.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        let request = format!(
            "GET /v1/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {session}\r\n{last}\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut raw = Vec::with_capacity(1024);
        let head = loop {
            if stream.read_buf(&mut raw).await? == 0 {
                return Err("the server hung up".into());
            }
            if let Some(head) = Head::in_front_of(&raw)? {
                break head;
            }
        };
        if head.status != 200 {
            return Err(format!("a stream was answered {}", head.status).into());
        }
        raw.drain(..head.end);
        Ok(Self {
            stream,
            raw,
            text: Vec::new(),
            left: usize::MAX,
        })
    }

    /// Cuts the connection after so many more bytes, wherever that is.
    #[must_use]
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.raw.truncate(bytes);
        self.left = bytes - self.raw.len();
        self
    }

    /// The next event; none once the stream has ended, or was cut.
    pub async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            self.unwrap_chunks()?;
            while let Some(block) = self.whole_block() {
                let block: Vec<u8> = self.text.drain(block).collect();
                // A comment says only that the stream lives.
                if let Some(event) = Event::parse(std::str::from_utf8(&block)?) {
                    return Ok(Some(event));
                }
            }
            if self.left == 0 || !self.read().await? {
                return Ok(None);
            }
        }
    }

    /// False at its end.
    async fn read(&mut self) -> Result<bool, Failure> {
        let mut part = [0; 4096];
        let most = part.len().min(self.left);
        // A server that is killed resets what is open.
        let read = match self.stream.read(&mut part[..most]).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
            read => read?,
        };
        self.raw.extend_from_slice(&part[..read]);
        self.left -= read;
        Ok(read > 0)
    }

    fn unwrap_chunks(&mut self) -> Result<(), Failure> {
        while let Some(at) = self.raw.windows(2).position(|two| two == b"\r\n") {
            let length = usize::from_str_radix(std::str::from_utf8(&self.raw[..at])?, 16)?;
            let data = at + 2..at + 2 + length;
            if self.raw.len() < data.end + 2 {
                break;
            }
            self.text.extend_from_slice(&self.raw[data.clone()]);
            self.raw.drain(..data.end + 2);
        }
        Ok(())
    }

    fn whole_block(&self) -> Option<Range<usize>> {
        let end = self.text.windows(2).position(|two| two == b"\n\n")?;
        Some(0..end + 2)
    }
}

impl Event {
    fn parse(block: &str) -> Option<Self> {
        let of = |name| block.lines().find_map(|line| line.strip_prefix(name));
        Some(Self {
            id: of("id: ").map(str::to_owned),
            name: of("event: ")?.to_owned(),
            data: of("data: ")?.to_owned(),
        })
    }
}

async fn connect(address: &str, local: Option<IpAddr>) -> Result<TcpStream, Failure> {
    let server: SocketAddr = address.parse()?;
    let socket = match server {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if let Some(local) = local {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
