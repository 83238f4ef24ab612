//! What the reader of requests takes and refuses.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, outside #[test] functions"
)]

use proptest::prelude::*;
use queqiao_room::signal::{
    Base64, Content, ErrorBody, Fault, MAX_CANDIDATE_BYTES, MAX_CAPABILITIES, MAX_DEPTH, MAX_MESSAGE_BYTES,
    MAX_SDP_BYTES, MAX_STATS_STREAMS, MAX_UNJOINED_BYTES, Request, Stage, UserId, parse,
};
use serde_json::{Value, json};

fn fault(message: &Value) -> Fault {
    parse(&message.to_string(), Stage::Joined).unwrap_err().fault
}

fn code(message: &Value) -> &'static str {
    fault(message).code()
}

fn join(field: &str, value: Value) -> Value {
    let mut join = json!({"id": 1, "type": "join", "version": 1, "app": "a", "room": "r", "uid": "u", "platform": "web"});
    join[field] = value;
    join
}

#[test]
fn a_message_has_a_bounded_size_and_a_smaller_one_before_joining() {
    let ping = |bytes: usize| {
        let text = r#"{"id":1,"type":"ping","x":""}"#;
        text.replace(r#""""#, &format!("\"{}\"", "x".repeat(bytes - text.len())))
    };
    for (stage, limit) in [(Stage::Unjoined, MAX_UNJOINED_BYTES), (Stage::Joined, MAX_MESSAGE_BYTES)] {
        assert!(parse(&ping(limit), stage).is_ok());
        let bad = parse(&ping(limit + 1), stage).unwrap_err();
        assert_eq!(bad.fault, Fault::TooLarge { bytes: limit + 1, limit });
        assert_eq!(ErrorBody::from(&bad.fault).limit, u64::try_from(limit).ok());
    }
}

#[test]
fn a_message_has_a_bounded_depth_and_brackets_in_strings_do_not_count() {
    let nested =
        |depth: usize| format!(r#"{{"id":1,"type":"ping","x":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&nested(MAX_DEPTH - 1), Stage::Joined).is_ok());
    assert_eq!(parse(&nested(MAX_DEPTH), Stage::Joined).unwrap_err().fault, Fault::TooDeep);
    assert_eq!(parse(&"[".repeat(100_000), Stage::Joined).unwrap_err().fault, Fault::TooDeep);
    let text = r#"{"id":1,"type":"send_message","text":"[[[[[[[[[[[[\"{{{{{{{{{{\\"}"#;
    assert!(parse(text, Stage::Joined).is_ok());
}

#[test]
fn what_is_not_a_json_object_is_malformed() {
    for text in ["", "{", "nonsense", "[]", "7", "null", "{\"id\":1,}", "{\"id\":1}x", "\u{0}"] {
        let bad = parse(text, Stage::Joined).unwrap_err();
        assert_eq!((bad.id, bad.fault.code()), (None, "malformed_message"), "{text}");
    }
}

#[test]
fn a_request_has_an_id_that_javascript_can_hold() {
    for id in [json!(-1), json!(1.5), json!("1"), json!(null), json!(9_007_199_254_740_992_u64)] {
        assert_eq!(code(&json!({"id": id, "type": "ping"})), "invalid_id", "{id}");
    }
    assert_eq!(code(&json!({"type": "ping"})), "invalid_id");
    let last = json!({"id": 9_007_199_254_740_991_u64, "type": "ping"});
    assert!(parse(&last.to_string(), Stage::Joined).is_ok());
}

#[test]
fn what_fails_says_which_request_it_was() {
    let bad = parse(r#"{"id":7,"type":"fly"}"#, Stage::Joined).unwrap_err();
    assert_eq!((bad.id, bad.fault), (Some(7), Fault::UnknownType));
    assert_eq!(code(&json!({"id": 7})), "unknown_type");
    assert_eq!(code(&json!({"id": 7, "type": 3})), "unknown_type");
}

#[test]
fn a_missing_field_is_named() {
    for field in ["version", "app", "room", "uid", "platform"] {
        let mut message = join("role", json!("host"));
        message.as_object_mut().unwrap().remove(field);
        assert_eq!(fault(&message), Fault::MissingField { field: field.to_owned() });
    }
    let message = json!({"id": 1, "type": "send_message"});
    assert_eq!(fault(&message), Fault::MissingField { field: "text".to_owned() });
}

#[test]
fn a_wrong_field_is_refused_whatever_it_holds() {
    for (field, value) in [
        ("app", json!(["a"])),
        ("uid", json!(1.5)),
        ("uid", json!(9_007_199_254_740_992_u64)),
        ("platform", json!("toaster")),
        ("role", json!("king")),
        ("version", json!("1")),
        ("token", json!(7)),
    ] {
        assert_eq!(code(&join(field, value.clone())), "invalid_field", "{field} {value}");
    }
    let long = "y".repeat(10_000);
    assert!(fault(&join("platform", json!(long))).to_string().len() < 400);
}

#[test]
fn an_identifier_that_is_not_valid_is_named() {
    for (field, expected) in [("app", "invalid_app"), ("room", "invalid_room"), ("uid", "invalid_uid")] {
        for value in ["", "a b", "a/b", &"x".repeat(129)] {
            let fault = fault(&join(field, json!(value)));
            assert_eq!(fault.code(), expected, "{value}");
            assert_eq!(ErrorBody::from(&fault).field.as_deref(), Some(field));
        }
    }
    assert_eq!(code(&json!({"id": 1, "type": "send_message", "to": "a b", "text": ""})), "invalid_uid");
}

#[test]
fn another_version_is_refused() {
    assert_eq!(code(&join("version", json!(2))), "unsupported_version");
}

#[test]
fn everything_in_a_request_is_bounded() {
    let words = vec!["h264"; MAX_CAPABILITIES + 1];
    assert_eq!(code(&join("capabilities", json!(words))), "too_many_capabilities");
    assert_eq!(code(&join("capabilities", json!(["x".repeat(33)]))), "too_many_capabilities");
    let sdp = "x".repeat(MAX_SDP_BYTES + 1);
    assert_eq!(code(&json!({"id": 1, "type": "answer", "revision": 1, "sdp": sdp})), "sdp_too_large");
    let candidate = "x".repeat(MAX_CANDIDATE_BYTES + 1);
    assert_eq!(code(&json!({"id": 1, "type": "candidate", "candidate": candidate})), "candidate_too_large");
    let streams = vec![json!({"uid": "u", "stream": "camera"}); MAX_STATS_STREAMS + 1];
    assert_eq!(code(&json!({"id": 1, "type": "stats", "streams": streams})), "too_many_stats");
}

#[test]
fn fields_that_are_not_known_are_passed_over() {
    let parsed = parse(&join("from_the_future", json!({"a": [1]})).to_string(), Stage::Unjoined).unwrap();
    assert!(matches!(parsed.request, Request::Join(_)));
}

#[test]
fn a_uid_keeps_the_form_it_came_in() {
    for text in ["42", "\"42\"", "-7", "\"alice\"", "0"] {
        let id: UserId = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), text);
    }
    let (number, text): (UserId, UserId) =
        (serde_json::from_str("42").unwrap(), serde_json::from_str("\"42\"").unwrap());
    assert_eq!(number.uid(), text.uid());
}

#[test]
fn data_is_valid_base64_and_its_size_is_that_of_the_bytes() {
    for (text, bytes) in [("", 0), ("AA==", 1), ("AAA=", 2), ("AAAA", 3), ("+/+/AA==", 4)] {
        assert_eq!(Content::Data(Base64::new(text.to_owned()).unwrap()).len(), bytes, "{text}");
    }
    for text in ["A", "AA", "A===", "AA-_", "AA==AA==", "AA =", "===="] {
        assert_eq!(Base64::new(text.to_owned()), None, "{text}");
    }
    assert_eq!(code(&json!({"id": 1, "type": "send_message", "data": "A"})), "invalid_field");
}

#[test]
fn nothing_secret_is_printed() {
    let message = join("token", json!("hunter2.hunter2.hunter2"));
    let request = parse(&message.to_string(), Stage::Unjoined).unwrap();
    assert!(!format!("{request:?}").contains("hunter2"));
    let secret = "5f3a9c0de1b24786a0c1d2e3f4051627";
    let resume =
        json!({"id": 1, "type": "resume", "session": format!("0000000000000001{secret}"), "last_seq": 0});
    let request = parse(&resume.to_string(), Stage::Unjoined).unwrap();
    assert!(!format!("{request:?}").contains(secret));
    let sdp = json!({"id": 1, "type": "answer", "revision": 1, "sdp": "a=ice-pwd:hunter2"});
    assert!(!format!("{:?}", parse(&sdp.to_string(), Stage::Joined)).contains("hunter2"));
    let wrong = join("token", json!({"secret": "hunter2"}));
    assert!(!fault(&wrong).to_string().contains("hunter2"));
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,200}") {
        let _ = parse(&text, Stage::Joined);
    }

    #[test]
    fn no_mutilated_request_breaks_the_reader(
        name in prop::sample::select(queqiao_room::signal::REQUEST_NAMES.to_vec()),
        field in "[a-z]{1,8}",
        cut in 0..60_usize,
    ) {
        let text = json!({"id": 1, "type": name, "stream": "camera", field: {"a": [1, "b"]}}).to_string();
        let kept: String = text.chars().take(text.len() - cut.min(text.len())).collect();
        if let Err(bad) = parse(&kept, Stage::Joined) {
            prop_assert!(!bad.fault.code().is_empty());
        }
    }
}
