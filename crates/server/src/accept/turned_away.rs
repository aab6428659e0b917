//! Those there is no place for are told so at once, and when to come back (rule R6).

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
};
use uuid::Uuid;

use super::places::Full;
use crate::tasks::Tasks;

/// How many are waited for until they have read what they are told. The others
/// may find the connection closed before that.
const LISTENERS: usize = 256;
/// How long.
const LISTENS_FOR: Duration = Duration::from_secs(1);

/// Turns clients away.
pub(super) struct Doorman {
    listeners: Arc<Semaphore>,
    tasks: Tasks,
}

impl Doorman {
    pub(super) fn new(tasks: Tasks) -> Self {
        Self {
            listeners: Arc::new(Semaphore::new(LISTENERS)),
            tasks,
        }
    }

    pub(super) fn turn_away(&self, mut stream: TcpStream, full: Full) {
        let told = told(full);
        let Ok(listener) = self.listeners.clone().try_acquire_owned() else {
            // Nothing is in the way of a first write to a fresh connection, but tokio
            // does not try before it was told so.
            if let Ok(mut stream) = stream.into_std() {
                _ = std::io::Write::write(&mut stream, told.as_bytes());
            }
            return;
        };
        self.tasks.spawn(async move {
            let listening = async {
                stream.write_all(told.as_bytes()).await?;
                stream.shutdown().await?;
                // To close on what was not read would take back what was written.
                let mut request = [0; 1024];
                while stream.read(&mut request).await? > 0 {}
                std::io::Result::Ok(())
            };
            _ = tokio::time::timeout(LISTENS_FOR, listening).await;
            drop(listener);
        });
    }
}

/// A whole answer. They are not all asked to come back at the same time.
fn told(full: Full) -> String {
    let id = Uuid::new_v4();
    let retry_after = 1 + id.as_bytes()[0] % 8;
    let message = match full {
        Full::InAll => "the server has as many connections as it takes",
        Full::FromOneAddress => "too many connections from this address",
    };
    let id = id.simple();
    let body = json!({ "error": {
        "code": "too_many_connections",
        "message": message,
        "hint": format!("try again in {retry_after} s"),
        "request_id": id.to_string(),
    }})
    .to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nRetry-After: {retry_after}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: {id}\r\nConnection: close\r\n\r\n{body}"
    )
}
