//! An HTTP endpoint whose answers a test writes.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Answers a path and a body; `None` hangs up.
pub(super) type Answer = dyn Fn(&str, &str) -> Option<(u16, String)> + Send + Sync;

/// A running endpoint; it ends with the value.
pub(super) struct Stub {
    pub(super) url: String,
    /// Paths and bodies that came.
    pub(super) asked: Arc<Mutex<Vec<(String, String)>>>,
    task: JoinHandle<()>,
}

// === impl Stub ===

impl Stub {
    pub(super) async fn start(
        answer: impl Fn(&str, &str) -> Option<(u16, String)> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://user:secret@{}/base/", listener.local_addr().unwrap());
        let (answer, asked): (Arc<Answer>, Arc<Mutex<Vec<_>>>) = (Arc::new(answer), Arc::default());
        let seen = asked.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, seen) = (answer.clone(), seen.clone());
                let service = service_fn(move |request| respond(answer.clone(), seen.clone(), request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { url, asked, task }
    }

    /// An endpoint of JSON-RPC: results by method and parameters; `null` where there is none.
    pub(super) async fn rpc(result: impl Fn(&str, &Value) -> Option<Value> + Send + Sync + 'static) -> Self {
        Self::start(move |_, body| {
            let call: Value = serde_json::from_str(body).unwrap();
            let result = result(call["method"].as_str().unwrap(), &call["params"])?;
            Some((200, json!({ "jsonrpc": "2.0", "id": call["id"], "result": result }).to_string()))
        })
        .await
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn respond(
    answer: Arc<Answer>,
    seen: Arc<Mutex<Vec<(String, String)>>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    assert!(request.headers().contains_key("authorization"), "user-info of the URL is sent");
    let path = request.uri().path().strip_prefix("/base").unwrap().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let body = String::from_utf8(body.to_vec())?;
    seen.lock().push((path.clone(), body.clone()));
    let Some((status, text)) = answer(&path, &body) else { return Err("hang up".into()) };
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status.try_into()?;
    Ok::<_, Infallible>(response).map_err(Into::into)
}
