//! File descriptors: connections and the store's files share them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one, as Geth and Go programs do: shells start programs with 1,024 for the sake
/// of `select`, which nothing here uses. Where that is refused the old limit stays, and accepting waits when it is
/// reached.
pub(super) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => tracing::debug!(?current, ?maximum, "The limit of file descriptors is raised."),
        Err(error) => tracing::warn!(%error, ?current, "The limit of file descriptors cannot be raised."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let before = getrlimit(Resource::Nofile);
        // Little lower than it is: other tests of this process need theirs.
        let lower = before.current.or(before.maximum).map_or(Some(1 << 20), |limit| limit.checked_sub(1));
        setrlimit(Resource::Nofile, Rlimit { current: lower, ..before }).unwrap();
        assert_ne!(getrlimit(Resource::Nofile).current, before.maximum);
        raise_limit();
        assert_eq!(getrlimit(Resource::Nofile).current, before.maximum);
    }
}
