//! What a node's answer means for routing. The answer itself is never changed.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::rpc::client::Answer;
use crate::rpc::message::RpcError;

/// Errors that mean "ask somebody else" are short; longer answers are not searched for one.
const SEARCHED_BYTES_MAX: usize = 16 << 10;

/// What to do with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the answer, errors of the application included.
    Answer,
    /// The node is well but lacks the data.
    Missing,
    /// The node wants to be asked less.
    Limited,
    /// The node is not well.
    Failed,
}

/// Judges by status and, where they are short, by JSON-RPC errors.
pub(super) fn judge(answer: &Answer) -> Verdict {
    match answer.status {
        429 => return Verdict::Limited,
        // Credentials are the operator's affair, not the client's: another node may do.
        // Redirections are not followed: the operator named this address and no other.
        300..=399 | 401..=403 | 407 | 408 | 500.. => return Verdict::Failed,
        _ => {}
    }
    if answer.body.is_empty() || answer.body.len() > SEARCHED_BYTES_MAX {
        return Verdict::Answer;
    }
    let first = answer.body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') {
        let members: Vec<Member> = serde_json::from_slice(&answer.body).unwrap_or_default();
        return members
            .iter()
            .map(Member::verdict)
            .find(|verdict| *verdict != Verdict::Answer)
            .unwrap_or(Verdict::Answer);
    }
    match serde_json::from_slice::<Member>(&answer.body) {
        Ok(member) => member.verdict(),
        // A proxy's page in place of JSON; a client error without JSON is passed on.
        Err(_) if answer.status < 400 => Verdict::Failed,
        Err(_) => Verdict::Answer,
    }
}

#[derive(Deserialize)]
struct Member {
    #[serde(default)]
    error: Option<MemberError>,
    #[serde(default, rename = "result")]
    _result: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum MemberError {
    Known {
        code: i64,
        #[serde(default)]
        message: String,
    },
    Odd(IgnoredAny),
}

// === impl Member ===

impl Member {
    fn verdict(&self) -> Verdict {
        let Some(MemberError::Known { code, message }) = &self.error else { return Verdict::Answer };
        // Reverts carry texts of contracts' authors, and wrong parameters are the client's: their words mean nothing.
        if matches!(code, 3 | -32602 | -32601 | -32600 | -32700) {
            return Verdict::Answer;
        }
        let error = RpcError { code: *code, message: message.clone() };
        if error.is_rate_limit() {
            Verdict::Limited
        } else if error.is_missing_data() {
            Verdict::Missing
        } else {
            Verdict::Answer
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn verdict(status: u16, body: &str) -> Verdict {
        let body = Bytes::copy_from_slice(body.as_bytes());
        judge(&Answer { status, content_type: None, retry_after: None, body })
    }

    #[test]
    fn errors_of_the_application_are_answers() {
        for body in [
            r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"execution reverted: rate limit","data":"0x"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid argument: header not found"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"nonce too low"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":"odd"}"#,
            "",
        ] {
            assert_eq!(verdict(200, body), Verdict::Answer, "{body}");
        }
        assert_eq!(verdict(400, "bad request"), Verdict::Answer);
    }

    #[test]
    fn limits_missing_data_and_failures_are_told_apart() {
        let error =
            |code: i64, text: &str| format!(r#"{{"id":1,"error":{{"code":{code},"message":"{text}"}}}}"#);
        assert_eq!(verdict(200, &error(-32005, "x")), Verdict::Limited);
        assert_eq!(verdict(200, &error(-32000, "Too Many Requests")), Verdict::Limited);
        assert_eq!(verdict(429, ""), Verdict::Limited);
        assert_eq!(verdict(200, &error(-32000, "missing trie node 12")), Verdict::Missing);
        assert_eq!(verdict(200, &error(-32014, "x")), Verdict::Missing);
        assert_eq!(
            verdict(200, &format!("[{},{}]", r#"{"id":1,"result":1}"#, error(-32005, "x"))),
            Verdict::Limited
        );
        assert_eq!(verdict(503, "{}"), Verdict::Failed);
        for page in ["<html>", "{\"result\":", "{\"error\":1", "{no JSON}"] {
            assert_eq!(verdict(200, page), Verdict::Failed, "{page}");
        }
    }
}
