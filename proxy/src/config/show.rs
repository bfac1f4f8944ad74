//! The effective configuration, fit to be pasted into a bug report.

use url::Url;

use super::Config;

/// Stands for what is secret.
const REDACTED: &str = "***";

/// A part of a URL's path that is as long as this is taken for a key, as hosted nodes have them.
const KEY_BYTES_MIN: usize = 20;

/// The configuration as TOML. User names, passwords, queries and keys in URLs and the values of headers are left
/// out; a header's `@path` stays, since it only says where the secret lies.
pub fn show(config: &Config) -> String {
    let mut config = config.clone();
    for upstream in &mut config.upstream {
        upstream.url = redact(&upstream.url);
        for value in upstream.headers.values_mut().filter(|value| !value.starts_with('@')) {
            *value = REDACTED.to_owned();
        }
    }
    let checkpoint = &mut config.checkpoint;
    for url in checkpoint.l1_urls.iter_mut().chain(&mut checkpoint.heimdall_urls) {
        *url = redact(url);
    }
    toml::to_string_pretty(&config).unwrap_or_else(|error| format!("# not TOML: {error}\n"))
}

fn redact(text: &str) -> String {
    let Ok(url) = Url::parse(text) else { return text.to_owned() };
    let Some(host) = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https")) else {
        return text.to_owned();
    };
    let user = if url.username().is_empty() && url.password().is_none() { "" } else { "***@" };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let is_key = |part: &str| {
        part.len() >= KEY_BYTES_MIN
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    let parts: Vec<_> =
        url.path().split('/').map(|part| if is_key(part) { REDACTED } else { part }).collect();
    let query = if url.query().is_some() { "?***" } else { "" };
    format!("{}://{user}{host}{port}{}{query}", url.scheme(), parts.join("/"))
}
