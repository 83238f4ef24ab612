use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

/// Operations by name: method and path.
fn operations() -> BTreeMap<String, String> {
    let document = serde_json::to_value(routes_and_document().1).unwrap();
    let mut operations = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let line = format!("{} {path}", method.to_uppercase());
            assert_eq!(operations.insert(id, line), None, "two operations have one name");
        }
    }
    operations
}

#[test]
fn the_page_for_people_and_the_document_for_programs_name_the_same_operations() {
    let page = include_str!("../../../docs/admin-api.md");
    let mut described = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| `") && line.contains("/api/v1/")) {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (requests, names) = (cells.next().unwrap(), cells.next().unwrap());
        let (methods, path) = requests.rsplit_once(' ').unwrap();
        let methods = methods.replace(['`', ','], "");
        let path = path.trim_end_matches('`');
        let path = ["APP", "ROOM", "UID", "STREAM", "TRACK"]
            .iter()
            .fold(path.to_owned(), |path, name| path.replace(name, &format!("{{{}}}", name.to_lowercase())));
        let names = names.split(", ").map(|name| name.trim_matches('`'));
        for (method, name) in methods.split_whitespace().zip(names) {
            described.insert(name.to_owned(), format!("{method} {path}"));
        }
    }
    assert_eq!(described, operations());
}

#[test]
fn every_operation_says_what_it_refuses_and_needs_the_secret() {
    let document = serde_json::to_value(routes_and_document().1).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["security"], serde_json::json!([{"admin": []}]));
    assert_eq!(document["components"]["securitySchemes"]["admin"]["scheme"], "bearer");
    for methods in document["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            for status in ["400", "401", "404", "503"] {
                assert!(operation["responses"][status]["content"].is_object(), "{operation}");
            }
            assert_eq!(operation["security"], Value::Null, "no operation is let off");
        }
    }
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = serde_json::to_value(routes_and_document().1).unwrap();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 10);
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

#[test]
fn a_secret_is_the_same_only_as_a_whole() {
    assert!(is_same(b"4f1c9a0b7de2583c", b"4f1c9a0b7de2583c"));
    for other in [&b"4f1c9a0b7de2583"[..], b"4f1c9a0b7de2583cc", b"4F1c9a0b7de2583c", b""] {
        assert!(!is_same(b"4f1c9a0b7de2583c", other));
    }
}
