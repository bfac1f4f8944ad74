//! TXT records, bounded.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;

/// Longest wait for one answer of a server, and how often it is asked.
const PATIENCE: Duration = Duration::from_secs(5);
const ATTEMPTS: usize = 2;
/// Records kept in memory by the resolver; each is asked for once in a walk.
const CACHE: u64 = 32;
/// Longest text; a packet of DNS has 512 bytes, with EDNS some more.
const TEXT_MAX: usize = 4_096;

/// Asks the servers of the system, or one.
#[derive(Clone)]
pub(in crate::p2p::discovery) struct Resolver {
    inner: TokioResolver,
}

/// Why there is no text. Another try may help.
#[derive(Debug, thiserror::Error)]
pub(in crate::p2p::discovery) enum ResolverError {
    /// The system's configuration cannot be used; the operator can help.
    #[error("no DNS server can be asked: {0}")]
    Setup(String),
    /// No answer, or a failure.
    #[error("{name}: {reason}")]
    Lookup {
        /// What was asked for.
        name: String,
        /// What happened.
        reason: String,
    },
    /// The record has no text, or more than is looked at.
    #[error("{name}: no text of up to {TEXT_MAX} bytes")]
    Text {
        /// What was asked for.
        name: String,
    },
}

// === impl Resolver ===

impl Resolver {
    /// With the servers that `/etc/resolv.conf` names.
    pub(in crate::p2p::discovery) fn of_system() -> Result<Self, ResolverError> {
        let builder = TokioResolver::builder_tokio().map_err(setup)?;
        Self::built(builder)
    }

    /// With this server alone.
    pub(in crate::p2p::discovery) fn at(server: SocketAddr) -> Result<Self, ResolverError> {
        let mut connection = ConnectionConfig::udp();
        connection.port = server.port();
        let server = NameServerConfig::new(server.ip(), true, vec![connection]);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        Self::built(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
    }

    fn built(
        mut builder: hickory_resolver::ResolverBuilder<TokioRuntimeProvider>,
    ) -> Result<Self, ResolverError> {
        let options: &mut ResolverOpts = builder.options_mut();
        (options.timeout, options.attempts, options.cache_size) = (PATIENCE, ATTEMPTS, CACHE);
        Ok(Self { inner: builder.build().map_err(setup)? })
    }

    /// The text at `name`: of several records the first that looks like a tree's, its strings put together.
    pub(super) async fn txt(&self, name: &str) -> Result<String, ResolverError> {
        let lookup = self.inner.txt_lookup(format!("{name}.")).await;
        let lookup = lookup
            .map_err(|error| ResolverError::Lookup { name: name.to_owned(), reason: error.to_string() })?;
        let texts = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::TXT(text) => {
                let length: usize = text.txt_data.iter().map(|part| part.len()).sum();
                let bytes = (length <= TEXT_MAX).then(|| text.txt_data.concat())?;
                String::from_utf8(bytes).ok()
            }
            _ => None,
        });
        let mut texts = texts.filter(|text| text.starts_with("enr"));
        texts.next().ok_or_else(|| ResolverError::Text { name: name.to_owned() })
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

fn setup(error: impl std::fmt::Display) -> ResolverError {
    ResolverError::Setup(error.to_string())
}
