//! The Prometheus exposition: what the rooms registered, and gauges read at the time of the scrape.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use prometheus_client::encoding::text::encode;

use super::{Parts, problem, respond};

pub(super) fn exposition(parts: &Parts) -> Response<Full<Bytes>> {
    let mut body = String::new();
    match encode(&mut body, &parts.registry) {
        Ok(()) => {
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            respond(StatusCode::OK, content_type, body)
        }
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written"),
    }
}
