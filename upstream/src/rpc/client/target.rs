//! Where requests go and what each carries, taken from the URL and the headers of the operator.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::http::uri::Uri;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::rpc::options::NodeOptions;

/// A node's address and headers, both without a way to print them.
pub(super) struct Target {
    uri: Uri,
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
        for (name, value) in &options.headers {
            let name: HeaderName = name.parse().map_err(|_| "a header's name is malformed")?;
            let mut value = HeaderValue::from_str(value).map_err(|_| "a header's value is malformed")?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let uri = url.as_str().parse().map_err(|_| "its URL is malformed")?;
        Ok(Self { uri, tls, headers })
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }
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
