//! Checks of `[[upstream]]`, and the secrets in it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use url::Url;

use super::check::{Rules, twice};
use super::{Config, ConfigError, UpstreamConfig, p2p};

/// Schemes that the documentation names and this version does not have yet.
const SCHEMES_PLANNED: [&str; 3] = ["ws", "wss", "s3"];

/// Headers that belong to the connection, not to the configuration.
const HEADERS_RESERVED: [&str; 6] =
    ["connection", "content-length", "content-type", "host", "te", "transfer-encoding"];

/// Longest id: it is a part of header and metric values.
const ID_BYTES_MAX: usize = 64;

/// Largest secret that a file may hold.
const SECRET_BYTES_MAX: u64 = 16 << 10;

// === impl UpstreamConfig ===

impl UpstreamConfig {
    /// The headers to send, values `@path` read from their files. Read again after a reload, since secrets rotate.
    pub fn header_values(&self) -> Result<Vec<(String, String)>, ConfigError> {
        self.headers.iter().map(|(name, value)| Ok((name.clone(), secret(value)?))).collect()
    }

    /// Whether it is a devp2p peer.
    pub fn is_peer(&self) -> bool {
        matches!(self.scheme(), "enode" | "enr")
    }

    /// The scheme of its URL; `file` for a bare path.
    pub fn scheme(&self) -> &str {
        let is_scheme = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte))
        };
        self.url
            .split_once(':')
            .map(|(scheme, _)| scheme)
            .filter(|scheme| is_scheme(scheme))
            .unwrap_or("file")
    }
}

/// Checks the upstreams one by one and against each other.
pub(super) fn check(config: &Config, rules: &Rules<'_>) -> Result<(), ConfigError> {
    let upstreams = &config.upstream;
    for (place, upstream) in upstreams.iter().enumerate() {
        let path = |key: &str| format!("upstream.{place}.{key}");
        let id = &upstream.id;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        rules.ensure(id.len() <= ID_BYTES_MAX && id.bytes().all(is_plain), &path("id"), || {
            format!("the id {id:?} may have up to {ID_BYTES_MAX} letters, digits, `.`, `_` and `-`")
        })?;
        check_url(upstream, rules, &path("url"))?;
        rules.ensure(config.p2p.enabled || !upstream.is_peer(), &path("url"), || {
            format!("upstream `{id}` is a devp2p peer, but `p2p.enabled` is false; set it to true")
        })?;
        for (key, value) in [("rate_limit", upstream.rate_limit), ("fill_rate", upstream.fill_rate)] {
            rules.ensure(value != Some(0), &path(key), || format!("`{key}` is 0; remove it for no limit"))?;
        }
        if let Some(concurrency) = upstream.concurrency {
            rules.within(&path("concurrency"), concurrency, 1, 100_000)?;
        }
        rules.ensure(
            upstream.timeout.is_none_or(|time| !time.duration().is_zero()),
            &path("timeout"),
            || "`timeout` is 0; it must be more".to_owned(),
        )?;
        check_headers(upstream, rules, &path("headers"))?;
    }
    if let Some((first, second)) = twice(upstreams.iter().map(|upstream| upstream.id.as_str())) {
        return rules.ensure(false, &format!("upstream.{second}.id"), || {
            let id = upstreams.get(second).map(|upstream| upstream.id.as_str()).unwrap_or_default();
            format!("the upstreams {} and {} both have the id `{id}`; rename one", first + 1, second + 1)
        });
    }
    if let Some((first, second)) = twice(upstreams.iter().map(|upstream| upstream.url.as_str())) {
        return rules.ensure(false, &format!("upstream.{second}.url"), || {
            format!("the upstreams {} and {} have the same URL; remove one", first + 1, second + 1)
        });
    }
    Ok(())
}

/// No message shows the URL: it may hold a secret.
fn check_url(upstream: &UpstreamConfig, rules: &Rules<'_>, path: &str) -> Result<(), ConfigError> {
    let (id, scheme) = (&upstream.id, upstream.scheme());
    rules.ensure(!upstream.url.is_empty(), path, || format!("upstream `{id}` has no `url`; give it one"))?;
    rules.ensure(!SCHEMES_PLANNED.contains(&scheme), path, || {
        format!(
            "upstream `{id}`: `{scheme}` URLs are known but not built yet; use http://, https:// or a folder"
        )
    })?;
    let known = "there are http://, https://, enode://, enr:, file:// or a path, and dev:";
    let has_host = || Url::parse(&upstream.url).is_ok_and(|url| url.host_str().is_some());
    match scheme {
        "http" | "https" => rules.ensure(has_host(), path, || {
            format!("upstream `{id}`: the URL cannot be read; write it like http://127.0.0.1:8545")
        }),
        "enode" | "enr" => {
            let peer = p2p::dialable(&upstream.url);
            rules
                .ensure(peer.is_ok(), path, || format!("upstream `{id}`: {}", peer.err().unwrap_or_default()))
        }
        "file" => Ok(()),
        "dev" => rules.ensure(upstream.url == "dev:", path, || {
            format!("upstream `{id}`: write the development chain as `dev:`, its options in `[dev]`")
        }),
        _ => rules.ensure(false, path, || format!("upstream `{id}`: `{scheme}` URLs are not known; {known}")),
    }
}

fn check_headers(upstream: &UpstreamConfig, rules: &Rules<'_>, path: &str) -> Result<(), ConfigError> {
    for (name, value) in &upstream.headers {
        let path = format!("{path}.{name}");
        let valid = hyper::header::HeaderName::try_from(name).is_ok();
        let reserved = HEADERS_RESERVED.contains(&name.to_ascii_lowercase().as_str());
        rules
            .ensure(valid && !reserved, &path, || format!("the header `{name}` cannot be set; remove it"))?;
        let value = secret(value);
        rules.ensure(value.is_ok(), &path, || match &value {
            Err(error) => format!("the header `{name}`: {}", error.problem),
            Ok(_) => String::new(),
        })?;
        let fits = value.is_ok_and(|value| hyper::header::HeaderValue::try_from(value).is_ok());
        rules.ensure(fits, &path, || {
            format!("the value of the header `{name}` has characters that no header may have")
        })?;
    }
    Ok(())
}

/// A value, or what the file behind `@` holds without the line's end.
fn secret(value: &str) -> Result<String, ConfigError> {
    let Some(path) = value.strip_prefix('@') else { return Ok(value.to_owned()) };
    let mut text = String::new();
    let read = File::open(Path::new(path))
        .and_then(|file| file.take(SECRET_BYTES_MAX.saturating_add(1)).read_to_string(&mut text));
    match read {
        Ok(bytes) if bytes as u64 <= SECRET_BYTES_MAX => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        Ok(_) => Err(ConfigError::new(format!("{path} has more than {SECRET_BYTES_MAX} bytes"))),
        Err(error) => Err(ConfigError::new(format!("{path}: {error}"))),
    }
}
