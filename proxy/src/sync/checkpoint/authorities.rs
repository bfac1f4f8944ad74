//! Those outside who vouch for blocks: L1 and Heimdall, as far as they are configured.

use std::sync::Arc;
use std::time::Duration;

use hypasis_chain::ChainSpec;
use hypasis_upstream::checkpoint::l1::RootChain;
use hypasis_upstream::checkpoint::{Heimdall, HeimdallOptions, L1, L1Options};
use parking_lot::Mutex;

use super::record::Record;
use crate::config::{CheckpointConfig, CheckpointSource};
use crate::sync::shared::Shared;

/// How often the state of Heimdall is told to metrics.
const TELL: Duration = Duration::from_secs(1);

/// The ways to them, and what was last heard. Cheap to read.
#[derive(Debug, Default)]
pub(crate) struct Authorities {
    l1: Option<L1>,
    heimdall: Option<Heimdall>,
    /// Why one that is configured cannot be asked.
    why_not: Option<String>,
    heard: Mutex<Heard>,
}

/// What was heard of L1.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// Checkpoints and the ranges that they cover.
    pub(super) record: Option<Record>,
    /// Why nothing new is heard, if that is so.
    pub(super) trouble: Option<String>,
}

// === impl Authorities ===

impl Authorities {
    /// From the configuration; nothing is dialled yet.
    pub(crate) fn new(config: &CheckpointConfig, spec: &ChainSpec) -> Self {
        let mut authorities = Self::default();
        if config.source == CheckpointSource::EthereumL1 {
            match l1(config, spec) {
                Ok(l1) => authorities.l1 = Some(l1),
                Err(why) => authorities.why_not = Some(why),
            }
        }
        if !config.heimdall_urls.is_empty() {
            let options = HeimdallOptions { urls: config.heimdall_urls.clone(), chain_id: spec.chain_id };
            match Heimdall::new(&options) {
                Ok(heimdall) => authorities.heimdall = Some(heimdall),
                Err(error) => tracing::error!(%error, "Heimdall cannot be asked"),
            }
        }
        authorities
    }

    pub(crate) fn l1(&self) -> Option<&L1> {
        self.l1.as_ref()
    }

    /// Heimdall, whose milestones and spans other parts of sync follow.
    pub(crate) fn heimdall(&self) -> Option<&Heimdall> {
        self.heimdall.as_ref()
    }

    pub(super) fn why_not(&self) -> Option<&str> {
        self.why_not.as_deref()
    }

    pub(super) fn heard(&self) -> Heard {
        self.heard.lock().clone()
    }

    pub(super) fn hear(&self, change: impl FnOnce(&mut Heard)) {
        change(&mut self.heard.lock());
    }
}

/// Follows Heimdall, if one is configured: the rules of headers and the choice of the head hear what it says.
pub(crate) async fn follow_heimdall(shared: Arc<Shared>) {
    let Some(heimdall) = shared.authorities.heimdall() else { return };
    let telling = async {
        loop {
            shared.checkpoint_metrics.heimdall(heimdall);
            // Whatever is settled was checked already; who seals above it is to be known.
            heimdall.want_from(shared.state.lock().base.map_or(u64::MAX, |base| base.number));
            tokio::time::sleep(TELL).await;
        }
    };
    let mut views = heimdall.views();
    let passing_on = async {
        while views.changed().await.is_ok() {
            let view = views.borrow_and_update().clone();
            shared.heimdall().send_replace(view);
            shared.bump();
        }
    };
    tokio::join!(heimdall.clone().run(), telling, passing_on);
}

fn l1(config: &CheckpointConfig, spec: &ChainSpec) -> Result<L1, String> {
    let known = RootChain::of(spec.chain_id);
    let Some(root_chain) = config.root_chain.or(known.map(|known| known.address)) else {
        return Err(format!(
            "the contract of chain {} is not known; set `checkpoint.root_chain`",
            spec.chain_id
        ));
    };
    // A contract of the operator's own may be on any L1.
    let l1_chain_id = known.filter(|known| known.address == root_chain).map(|known| known.l1_chain_id);
    if let [_] = config.l1_urls.as_slice() {
        tracing::warn!(
            "There is one L1 endpoint: what it says of the contract is believed. Two or more would check each other"
        );
    }
    let options = L1Options { urls: config.l1_urls.clone(), root_chain, l1_chain_id };
    L1::new(&options).map_err(|error| error.to_string())
}
