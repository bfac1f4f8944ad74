//! One turn of a connection's task for all that can be done in it.
//!
//! hyper hands a body from the connection to who reads it by wakers, also where both are one task. A task that wakes
//! itself is run twice, and before that wakes a second thread to look for work: on a small machine that thread takes
//! its core from the node that is just being asked. Here such a wake-up means: once more, now.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Nobody polls: who wakes wakes the task.
const RESTING: u8 = 0;
/// Being polled.
const POLLED: u8 = 1;
/// Being polled, and woken meanwhile.
const AGAIN: u8 = 2;

/// Most polls in one turn; what wants more lets other tasks go first.
const POLLS_MAX: usize = 8;

/// A future that is polled again at once where it was woken from within its own poll.
pub(crate) struct Turn<'a, F> {
    inner: Pin<&'a mut F>,
    bell: Arc<Bell>,
    waker: Waker,
}

/// Wakes the task, unless it is being polled.
#[derive(Debug)]
struct Bell {
    state: AtomicU8,
    task: AtomicWaker,
}

// === impl Turn ===

impl<'a, F> Turn<'a, F> {
    pub(crate) fn new(inner: Pin<&'a mut F>) -> Self {
        let bell = Arc::new(Bell { state: AtomicU8::new(RESTING), task: AtomicWaker::new() });
        let waker = Waker::from(Arc::clone(&bell));
        Self { inner, bell, waker }
    }

    /// What is polled, to tell it something.
    pub(crate) fn inner(&mut self) -> Pin<&mut F> {
        self.inner.as_mut()
    }
}

impl<F: Future> Future for Turn<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        this.bell.task.register(cx.waker());
        for _ in 0..POLLS_MAX {
            this.bell.state.store(POLLED, Ordering::SeqCst);
            if let Poll::Ready(output) = this.inner.as_mut().poll(&mut Context::from_waker(&this.waker)) {
                return Poll::Ready(output);
            }
            if this.bell.state.swap(RESTING, Ordering::SeqCst) == POLLED {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

// === impl Bell ===

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let asleep = self.state.compare_exchange(POLLED, AGAIN, Ordering::SeqCst, Ordering::SeqCst);
        if asleep == Err(RESTING) {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Polls once what wakes itself so many times before it is done; done, polls, wake-ups of the task.
    fn polled_once(times: usize) -> (bool, usize, usize) {
        let (task, mut polls) = (Arc::new(Task::default()), 0);
        let inner = pin!(poll_fn(|cx| {
            polls += 1;
            if polls > times {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
        let waker = Waker::from(Arc::clone(&task));
        let done = Pin::new(&mut Turn::new(inner)).poll(&mut Context::from_waker(&waker)).is_ready();
        (done, polls, task.0.load(Ordering::SeqCst))
    }

    #[test]
    fn what_wakes_itself_goes_on_in_the_same_turn() {
        assert_eq!(polled_once(0), (true, 1, 0));
        assert_eq!(polled_once(POLLS_MAX - 1), (true, POLLS_MAX, 0));
    }

    #[test]
    fn what_never_stops_waking_itself_lets_others_go_first() {
        assert_eq!(polled_once(POLLS_MAX), (false, POLLS_MAX, 1));
    }

    #[test]
    fn who_wakes_it_from_outside_wakes_the_task() {
        let (task, mut kept) = (Arc::new(Task::default()), None);
        let inner = pin!(poll_fn(|cx| {
            kept = Some(cx.waker().clone());
            Poll::<()>::Pending
        }));
        let waker = Waker::from(Arc::clone(&task));
        assert!(Pin::new(&mut Turn::new(inner)).poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(task.0.load(Ordering::SeqCst), 0);
        kept.unwrap().wake();
        assert_eq!(task.0.load(Ordering::SeqCst), 1);
    }
}
