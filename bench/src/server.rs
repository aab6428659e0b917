//! A maitred of its own, that may be killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Failure;
use crate::http::Connection;

/// How long a start may take (rule R2).
pub const START_WITHIN: Duration = Duration::from_secs(5);

/// The page that its widget would be embedded in.
pub const ORIGIN: &str = "https://shop.example";

/// What its model answers, a word at a time.
pub const TWENTY_WORDS: [&str; 20] = [
    "Here ",
    "is ",
    "what ",
    "I ",
    "found ",
    "on ",
    "the ",
    "page ",
    "about ",
    "your ",
    "question. ",
    "It ",
    "takes ",
    "two ",
    "or ",
    "three ",
    "working ",
    "days ",
    "to ",
    "arrive.",
];

/// Where it lives and how it is set up. No limits on requests: all come from one
/// address.
pub struct Installation {
    pub data: PathBuf,
    pub address: String,
    binary: PathBuf,
    database: Option<String>,
    script: PathBuf,
}

/// The program, running.
pub struct Running(Child);

impl Installation {
    /// In that directory, with a model that answers everything with these words.
    pub fn new(
        binary: &Path,
        data: &Path,
        database: Option<String>,
        words: &[&str],
    ) -> Result<Self, Failure> {
        let free = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = free.local_addr()?.to_string();
        let script = data.join("script.json");
        let deltas: Vec<_> = words
            .iter()
            .map(|text| serde_json::json!({ "text": text }))
            .collect();
        let replies = serde_json::json!({ "replies": [{ "when": "", "deltas": deltas }] });
        std::fs::write(&script, replies.to_string())?;
        Ok(Self {
            data: data.to_owned(),
            address,
            binary: binary.to_owned(),
            database,
            script,
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .env("MAITRED__SERVER__DATA", self.data.join("data"))
            .env("MAITRED__SERVER__LISTEN", &self.address)
            .env("MAITRED__TESTING__SCRIPT", &self.script)
            .env("MAITRED__LIMITS__REQUESTS", "0")
            .env("MAITRED__SERVER__MAX_CONNECTIONS_PER_ADDRESS", "0")
            .env("MAITRED__LIMITS__ANONYMOUS_SESSIONS", "0")
            .env("RUST_LOG", "error");
        if let Some(url) = &self.database {
            command.env("MAITRED__DATABASE__URL", url);
        }
        command
    }

    /// Runs a command of it that answers with JSON.
    pub fn run(&self, arguments: &[&str]) -> Result<Value, Failure> {
        let output = self
            .command()
            .args(arguments)
            .arg("--json")
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(format!("maitred {} failed", arguments.join(" ")).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// An agent whose widget may be embedded in [`ORIGIN`].
    pub fn agent(&self) -> Result<String, Failure> {
        let made = self.run(&["agent", "create", "Ada", "--origin", ORIGIN])?;
        Ok(made["agent"].as_str().ok_or("no agent")?.to_owned())
    }

    /// Starts it; how long it took until it was ready.
    pub async fn start(&self) -> Result<(Running, Duration), Failure> {
        let began = Instant::now();
        let child = self.command().arg("serve").stdout(Stdio::null()).spawn()?;
        let mut running = Running(child);
        while !self.is_ready().await {
            if let Some(status) = running.0.try_wait()? {
                return Err(format!("maitred ended at its start: {status}").into());
            }
            if began.elapsed() > START_WITHIN {
                return Err(format!("maitred was not ready after {START_WITHIN:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok((running, began.elapsed()))
    }

    async fn is_ready(&self) -> bool {
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        let Ok(mut connection) = Connection::open(&self.address).await else {
            return false;
        };
        matches!(connection.exchange(request.as_bytes()).await, Ok(answer) if answer.status == 200)
    }
}

impl Running {
    /// Its number, for those who look at what it uses.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) -> Result<(), Failure> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}
