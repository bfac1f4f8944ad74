//! Readiness: the listeners are up and something sound can be served, also with every upstream down.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};

use super::{Parts, text};

/// 200 while requests can be served; 503 while draining. With `verbose` each check on a line of its own.
///
/// A store that only stopped writing stays ready and says so: what it holds is still right.
pub(super) fn ready(parts: &Parts, draining: bool, verbose: bool) -> Response<Full<Bytes>> {
    let status = if draining { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    if !verbose {
        return text(status, if draining { "draining\n".into() } else { "ok\n".into() });
    }
    let served = parts.served.now();
    let store = match parts.store.read_only() {
        None => "[+] store ok".to_owned(),
        Some(reason) => format!("[!] store only reads: {reason}"),
    };
    let upstream = if served.upstream { "[+] upstream ok" } else { "[!] upstream none is up" };
    let sync = match parts.sync.status().halted {
        None => "[+] sync ok".to_owned(),
        Some(reason) => format!("[!] sync stopped: {reason}"),
    };
    let drain = if draining { "[-] listeners draining" } else { "[+] listeners ok" };
    let verdict = if draining { "not ready" } else { "ready" };
    text(status, format!("{drain}\n{store}\n{upstream}\n{sync}\n{verdict}\n"))
}
