//! JSON-RPC framing as Geth 1.17 does it (`rpc/json.go`, `rpc/handler.go`): borrowed, without a JSON tree.
//!
//! * [`scan`]: where values begin and end
//! * [`envelope`]: the members of a message
//! * [`said`]: answers without their ids
//! * [`error`]: errors in Geth's words; [`text`]: strings in and out

pub(crate) mod envelope;
pub(crate) mod error;
pub(crate) mod said;
pub(crate) mod scan;
pub(crate) mod text;

pub(crate) use envelope::{Envelope, Shape};
pub(crate) use error::RpcError;
pub(crate) use said::{HEAD, Rendered, ResultWriter, Said};
pub(crate) use scan::{Invalid, Scanner};

/// A request body: what its first JSON value is. What follows that value is ignored, as by Geth.
#[derive(Debug)]
pub(crate) enum Request<'a> {
    /// Nothing but white space.
    Nothing,
    /// One message.
    Single(Envelope<'a>),
    /// The members' texts, not yet read.
    Batch(Vec<&'a [u8]>),
}

/// Splits a body. Of a batch at most `members_max` + 1 members are kept: one more than allowed says enough.
pub(crate) fn split(body: &[u8], members_max: usize) -> Result<Request<'_>, Invalid> {
    let mut scanner = Scanner::new(body);
    match scanner.peek() {
        None => Ok(Request::Nothing),
        Some(b'[') => {
            let mut members = Vec::new();
            let mut inner = Scanner::new(scanner.value()?);
            inner.take(b'[');
            if inner.take(b']') {
                return Ok(Request::Batch(members));
            }
            loop {
                members.push(inner.value()?);
                if members.len() > members_max || !inner.take(b',') {
                    return Ok(Request::Batch(members));
                }
            }
        }
        Some(_) => Envelope::read(body).map(Request::Single),
    }
}
