//! What of HTTP is let in, as Geth's server (`rpc/http.go`, `node/rpcstack.go`) decides it.

#![allow(clippy::result_large_err, reason = "a refusal is an answer, made once and moved once")]

use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};

use super::body::Reply;

/// Media types of JSON-RPC over HTTP; parameters such as a charset are allowed.
const ACCEPTED: [&str; 3] = ["application/json", "application/json-rpc", "application/jsonrequest"];

/// Refuses hosts that are not listed: a browser tricked by DNS rebinding sends a foreign name. Addresses and an
/// absent host are fine, as no browser can be tricked into those.
pub(crate) fn host(head: &Parts, hosts: &[String]) -> Result<(), Response<Reply>> {
    if hosts.is_empty() || hosts.iter().any(|host| host == "*") {
        return Ok(());
    }
    let named = head.headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    let Some(authority) = named.or(head.uri.authority().map(|authority| authority.as_str())) else {
        return Ok(());
    };
    let name = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.rsplit_once(':').map_or(authority, |(name, _)| name),
    };
    let address = name.parse::<std::net::IpAddr>().is_ok();
    if address || hosts.iter().any(|host| host.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    Err(refusal(StatusCode::FORBIDDEN, "invalid host specified"))
}

/// Refuses by method, size and media type; answers what needs no body.
pub(crate) fn method(head: &Parts, length: Option<u64>, max_body: u64) -> Result<(), Response<Reply>> {
    if head.method == Method::GET && length == Some(0) && head.uri.query().is_none() {
        // Load balancers ask so.
        return Err(Response::new(Reply::default()));
    }
    if head.method == Method::PUT || head.method == Method::DELETE {
        return Err(refusal(StatusCode::METHOD_NOT_ALLOWED, "method not allowed"));
    }
    if let Some(length) = length.filter(|length| *length > max_body) {
        return Err(too_large(Some(length), max_body));
    }
    if head.method == Method::OPTIONS || accepted(&head.headers) {
        return Ok(());
    }
    let text = "invalid content type, only application/json is supported";
    Err(refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, text))
}

fn accepted(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return false };
    if value.as_bytes() == b"application/json" {
        return true;
    }
    let media = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    ACCEPTED.iter().any(|accepted| accepted.eq_ignore_ascii_case(media))
}

/// Geth's words for a body that says its length; one that does not is only found out while it comes.
pub(crate) fn too_large(length: Option<u64>, max_body: u64) -> Response<Reply> {
    let length = length.map_or_else(|| "unknown".to_owned(), |length| length.to_string());
    refusal(StatusCode::PAYLOAD_TOO_LARGE, &format!("content length too large ({length}>{max_body})"))
}

/// A refusal in the form of Go's `http.Error`.
pub(crate) fn refusal(status: StatusCode, text: &str) -> Response<Reply> {
    let mut response = Response::new(Reply::whole(Bytes::from(format!("{text}\n"))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if matches!(status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT) {
        // What is left of the body is not read.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The origin that may read the answer, if browsers' origins were configured and this is one of them.
pub(crate) fn origin(head: &Parts, origins: &[String]) -> Option<HeaderValue> {
    if origins.is_empty() {
        return None;
    }
    let origin = head.headers.get(header::ORIGIN)?;
    if origins.iter().any(|allowed| allowed == "*") {
        return Some(HeaderValue::from_static("*"));
    }
    let text = origin.to_str().ok()?;
    origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(text)).then(|| origin.clone())
}

/// Answers a browser's question before the call, where origins were configured at all.
pub(crate) fn preflight(head: &Parts, origins: &[String]) -> Result<(), Response<Reply>> {
    let asks =
        head.method == Method::OPTIONS && head.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !asks || origins.is_empty() {
        return Ok(());
    }
    let mut response = Response::new(Reply::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, GET"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    if let Some(wanted) = head.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    Err(response)
}

/// Lets the origin read the answer, our headers included.
pub(crate) fn allow(response: &mut Response<Reply>, origin: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    let exposed = HeaderValue::from_static("hypasis-source, hypasis-miss");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
}
