//! Where requests go and what each carries, taken from the URL and the headers of the operator.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use hyper::http::uri::Uri;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::rpc::options::NodeOptions;

/// A node's address and headers, both without a way to print them.
pub(super) struct Target {
    address: Uri,
    path: Uri,
    tls: bool,
    headers: HeaderMap,
}

// === impl Target ===

impl Target {
    /// Takes the URL apart; its user-info becomes Basic authentication.
    pub(super) fn new(options: &NodeOptions) -> Result<Self, &'static str> {
        let mut url = Url::parse(&options.url).map_err(|_| "its URL is malformed")?;
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err("its URL is neither http:// nor https://"),
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("hypasis/", env!("CARGO_PKG_VERSION"))));
        if let Some(basic) = basic(&url)? {
            headers.insert(AUTHORIZATION, basic);
        }
        url.set_username("").map_err(|()| "its URL cannot carry a user")?;
        url.set_password(None).map_err(|()| "its URL cannot carry a password")?;
        url.set_fragment(None);
        headers.insert(HOST, host(&url)?);
        for (name, value) in &options.headers {
            let name: HeaderName = name.parse().map_err(|_| "a header's name is malformed")?;
            let mut value = HeaderValue::from_str(value).map_err(|_| "a header's value is malformed")?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let address: Uri = url.as_str().parse().map_err(|_| "its URL is malformed")?;
        let path = address.path_and_query().map_or("/", |path| path.as_str());
        let path = path.parse().map_err(|_| "its URL is malformed")?;
        Ok(Self { address, path, tls, headers })
    }

    /// Whole, for dialling.
    pub(super) fn address(&self) -> &Uri {
        &self.address
    }

    /// Path and query: what the request's first line says to a server (RFC 9112, 3.2.1).
    pub(super) fn path(&self) -> &Uri {
        &self.path
    }

    /// A path below the URL's own; the URL's query, where a key may be, stays behind it.
    pub(super) fn below(&self, path: &str) -> Result<Uri, &'static str> {
        let base = self.path.path().trim_end_matches('/');
        let query = self.path.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{base}{path}{query}").parse().map_err(|_| "its URL is malformed")
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

/// RFC 9110, 7.2: the host, and the port where it is not the scheme's own.
fn host(url: &Url) -> Result<HeaderValue, &'static str> {
    let name = url.host_str().ok_or("its URL names no host")?;
    let host = url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
    HeaderValue::from_str(&host).map_err(|_| "its URL is malformed")
}

/// RFC 7617: the percent-decoded user and password, joined by a colon.
fn basic(url: &Url) -> Result<Option<HeaderValue>, &'static str> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let mut pair: Vec<u8> = percent_decode_str(url.username()).collect();
    pair.push(b':');
    pair.extend(percent_decode_str(url.password().unwrap_or_default()));
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)))
        .map_err(|_| "the user-info of its URL is malformed")?;
    value.set_sensitive(true);
    Ok(Some(value))
}
