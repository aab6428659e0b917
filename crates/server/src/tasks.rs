//! The only place that spawns, and the one that waits for what was spawned.

use std::{future::Future, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

/// How long what was cut off may take to notice.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// What runs beside the requests. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    stopping: CancellationToken,
    cut: CancellationToken,
    /// What goes on until all others have ended.
    last: TaskTracker,
    ended: CancellationToken,
}

impl Tasks {
    /// Runs a task that ends by itself, soon after [`stopping`](Self::stopping),
    /// or at once after [`cut`](Self::cut).
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Runs a task that outlives all others, since it works for them: it is told
    /// when they have ended, and then ends within moments.
    pub(crate) fn spawn_last<F>(&self, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.last.spawn(task(self.ended.clone()));
    }

    /// Does something to its end, even if whoever waits for it goes away: a
    /// client that hangs up must not keep what was stored from being announced.
    ///
    /// None if it panicked.
    pub(crate) async fn see_through<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.tracker.spawn(task.in_current_span()).await.ok()
    }

    /// Is cancelled when the program is about to end: nothing new begins.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Is cancelled when it ends: whatever still runs is dropped.
    pub(crate) fn cut(&self) -> CancellationToken {
        self.cut.clone()
    }

    /// Tells everything to end and waits for it; after that long, cuts it off
    /// (rule R7).
    pub(crate) async fn stop(&self, patience: Duration) {
        self.stopping.cancel();
        self.tracker.close();
        if tokio::time::timeout(patience, self.tracker.wait())
            .await
            .is_err()
        {
            tracing::warn!("some turns were cut off; they go on at the next start");
        }
        self.cut.cancel();
        _ = tokio::time::timeout(LAST_MOMENT, self.tracker.wait()).await;
        self.ended.cancel();
        self.last.close();
        self.last.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_is_seen_through_ends_although_nobody_waits_for_it() {
        let tasks = Tasks::default();
        let (begin, begun) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel::<()>();
        let mut waiting = Box::pin(tasks.see_through(async move {
            _ = begun.await;
            _ = end.send(());
        }));
        // Polled once, so that it is under way; then whoever waited hangs up.
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(waiting);

        _ = begin.send(());

        assert_eq!(ended.await, Ok(()));
    }

    #[tokio::test]
    async fn what_is_spawned_last_outlives_all_others() {
        let tasks = Tasks::default();
        let (other_ended, has_ended) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        tasks.spawn_last(|ended| async move {
            ended.cancelled().await;
            _ = tell.send(has_ended.await);
        });
        let stopping = tasks.stopping();
        tasks.spawn(async move {
            stopping.cancelled().await;
            tokio::task::yield_now().await;
            _ = other_ended.send(());
        });

        tasks.stop(Duration::from_secs(5)).await;

        assert_eq!(told.await, Ok(Ok(())));
    }

    #[tokio::test]
    async fn a_panic_of_what_is_seen_through_is_seen() {
        let tasks = Tasks::default();

        let done = tasks.see_through(async { assert!(Tasks::default().stopping.is_cancelled()) });

        assert_eq!(done.await, None);
    }
}
