//! Source `upstream`: what the sources agree to be final when the store is new.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{B256, keccak256};
use futures_util::future::join_all;
use hypasis_chain::BlockId;

use super::{Checkpoint, now};
use crate::config::CheckpointSource;
use crate::sync::agreement::{self, Verdict};
use crate::sync::shared::{Halt, Shared};

/// How long sources that are slow to answer are waited for once the first one is up.
const GATHER: Duration = Duration::from_secs(3);
/// Rest before sources that disagree are asked again.
const REST: Duration = Duration::from_secs(1);
/// Longest wait for one source's header.
const ANSWER: Duration = Duration::from_secs(10);

/// Asks the sources until they agree.
pub(super) async fn ask(shared: &Shared) -> Checkpoint {
    let mut watch = shared.sources.watch();
    let all_up = async {
        while shared.sources.opinions().is_empty() {
            watch.changed().await;
        }
        let everybody = async {
            while !shared.sources.all_have_spoken() {
                watch.changed().await;
            }
        };
        let _ = tokio::time::timeout(GATHER, everybody).await;
    };
    all_up.await;
    loop {
        if let Some(height) =
            agreement::settled_height(&shared.sources.opinions(), shared.store_config.finality_depth)
        {
            let answers = hashes_at(shared, height).await;
            match agreement::weigh(&answers) {
                Verdict::Agreed(hash, others) => {
                    let named =
                        answers.iter().filter(|(id, _)| !others.contains(id)).map(|(id, _)| id.to_string());
                    shared.halt(Halt::Agreement, None);
                    return Checkpoint {
                        id: BlockId { number: height, hash },
                        source: CheckpointSource::Upstream,
                        named_by: named.collect(),
                        trusted_at: now(),
                        total_difficulty: None,
                        proof: None,
                    };
                }
                Verdict::Split(said) => shared.halt(Halt::Agreement, Some(split(height, &said))),
                Verdict::Silent => {}
            }
        }
        tokio::time::sleep(REST).await;
    }
}

/// The hash that each source names for a settled height; those that do not answer in time have no say.
pub(crate) async fn hashes_at(shared: &Shared, height: u64) -> Vec<(Arc<str>, B256)> {
    let asked = shared.sources.opinions().into_iter().filter_map(|opinion| {
        let reaches = opinion.heads.latest.is_some_and(|id| id.number >= height);
        let source = shared.sources.by_id(&opinion.source).filter(|_| reaches)?;
        Some(async move {
            let answer = tokio::time::timeout(ANSWER, source.headers(height, 1)).await;
            let headers = answer.ok()?.ok()?;
            Some((opinion.source, keccak256(headers.first()?)))
        })
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// Says who named what.
pub(crate) fn split(height: u64, said: &[(Arc<str>, B256)]) -> String {
    let said: Vec<String> = said.iter().map(|(source, hash)| format!("{source} says {hash}")).collect();
    format!("sources contradict each other on block {height}: {}", said.join(", "))
}
