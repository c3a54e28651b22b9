//! Futures that are polled by whoever waits for them all, some at a time.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Runs the futures that `next` gives, so many at a time, and tells `ended` what comes out of each, when it
/// does. Nothing is spawned: when this is dropped, they all are.
pub(super) async fn side_by_side<F: Future>(
    at_once: usize,
    mut next: impl FnMut() -> Option<F>,
    mut ended: impl FnMut(F::Output),
) {
    let mut running: Vec<Pin<Box<F>>> = Vec::new();
    loop {
        while running.len() < at_once.max(1)
            && let Some(future) = next()
        {
            running.push(Box::pin(future));
        }
        if running.is_empty() {
            return;
        }
        let output = poll_fn(|context| {
            for at in 0..running.len() {
                let polled = running[at].as_mut().poll(context);
                if let Poll::Ready(output) = polled {
                    drop(running.swap_remove(at));
                    return Poll::Ready(output);
                }
            }
            Poll::Pending
        });
        ended(output.await);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn so_many_run_at_a_time_and_all_in_the_end() {
        let (running, most) = (Cell::new(0), Cell::new(0));
        // Those that came first wait longest.
        let turn = Semaphore::new(0);
        let (running, most, turn) = (&running, &most, &turn);
        let mut left = (0..10_u32).rev();
        let next = || {
            let number = left.next()?;
            Some(async move {
                running.set(running.get() + 1);
                most.set(most.get().max(running.get()));
                if number >= 8 {
                    let turn = turn.acquire().await.expect("open");
                    turn.forget();
                }
                for _ in 0..number {
                    tokio::task::yield_now().await;
                }
                turn.add_permits(1);
                running.set(running.get() - 1);
                number
            })
        };
        let mut seen = Vec::new();
        side_by_side(3, next, |number| seen.push(number)).await;
        assert_eq!(most.get(), 3);
        assert_ne!(seen[0], 9, "it waits for another");
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn none_at_a_time_is_one() {
        let (mut left, mut seen) = (0..3, Vec::new());
        let next = || left.next().map(|number| async move { number });
        side_by_side(0, next, |number| seen.push(number)).await;
        assert_eq!(seen, [0, 1, 2]);
    }
}
