//! Forgetting what has had its time.

use crate::{Store, StoreError};

/// How much was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Sessions that ended a week ago, with what their tokens said.
    pub sessions: u64,
    /// Tokens that were used once and have expired.
    pub spent_tokens: u64,
    /// Marks of those who were logged out everywhere.
    pub marks: u64,
    /// Entries of the verification log that were kept for long enough.
    pub verifications: u64,
    /// What nodes told each other.
    pub notices: u64,
}

impl Store {
    /// Forgets what can make no difference any more. To be called now and then.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let mut tx = self.begin().await?;
        let swept = Swept {
            sessions: self.sweep_sessions(&mut tx).await?,
            spent_tokens: self.sweep_spent(&mut tx).await?,
            marks: self.sweep_marks(&mut tx).await?,
            verifications: self.sweep_verifications(&mut tx).await?,
            notices: self.sweep_notices(&mut tx).await?,
        };
        tx.commit().await?;
        self.empty_the_log().await;
        Ok(swept)
    }
}
