//! A small check of JSON against the schemas of a description: what the API's schemas use, and nothing else, so that
//! a keyword that is not checked here does not pass unnoticed. Objects may hold nothing that is not described.

use adsum::domain::time::Time;
use serde_json::{Map, Value};

const KNOWN: [&str; 17] = [
    "$ref",
    "additionalProperties",
    "allOf",
    "default",
    "description",
    "enum",
    "example",
    "examples",
    "format",
    "items",
    "maximum",
    "minimum",
    "oneOf",
    "properties",
    "propertyNames",
    "required",
    "type",
];

/// What is wrong with the body of an answer, in sentences; nothing if it fits.
pub(crate) fn faults(
    description: &Value,
    path: &str,
    method: &str,
    status: &str,
    body: &Value,
) -> Vec<String> {
    let responses = &description["paths"][path][method]["responses"];
    let response = responses.get(status).unwrap_or(&responses["default"]);
    let content = response["content"].as_object().unwrap_or_else(|| panic!("{path} describes no {status}"));
    let (_, media) = content.iter().next().unwrap();
    let mut faults = Vec::new();
    Check { description, faults: &mut faults }.value(&media["schema"], body, path);
    faults
}

struct Check<'a> {
    description: &'a Value,
    faults: &'a mut Vec<String>,
}

impl Check<'_> {
    fn fault(&mut self, at: &str, what: &str) {
        self.faults.push(format!("{at}: {what}"));
    }

    fn resolve(&self, schema: &Value) -> Value {
        match schema["$ref"].as_str() {
            Some(reference) => {
                let pointer = reference.strip_prefix('#').unwrap();
                let found =
                    self.description.pointer(pointer).unwrap_or_else(|| panic!("{reference} is missing"));
                self.resolve(found)
            }
            None => self.merged(schema),
        }
    }

    /// `allOf` of objects as one object.
    fn merged(&self, schema: &Value) -> Value {
        let Some(parts) = schema["allOf"].as_array() else { return schema.clone() };
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for part in parts.iter().map(|part| self.resolve(part)) {
            properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
            required.extend(part["required"].as_array().cloned().unwrap_or_default());
        }
        serde_json::json!({ "type": "object", "properties": properties, "required": required })
    }

    fn value(&mut self, schema: &Value, value: &Value, at: &str) {
        let schema = self.resolve(schema);
        for keyword in schema.as_object().into_iter().flatten().map(|(keyword, _)| keyword) {
            if !KNOWN.contains(&keyword.as_str()) {
                self.fault(at, &format!("the schema's {keyword} is not checked"));
            }
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let fits = choices.iter().filter(|choice| self.fits(choice, value)).count();
            if fits != 1 {
                self.fault(at, &format!("{value} fits {fits} of {choices:?}"));
            }
        }
        self.kind(&schema, value, at);
        match value {
            Value::Object(members) if schema.get("type").is_some() => self.object(&schema, members, at),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(&schema["items"], item, &format!("{at}[{index}]"));
                }
            }
            Value::String(text) => self.text(&schema, text, at),
            Value::Number(number) => {
                let number = number.as_f64().unwrap();
                let (low, high) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
                if low.is_some_and(|low| number < low) || high.is_some_and(|high| number > high) {
                    self.fault(at, &format!("{number} is out of bounds"));
                }
            }
            _ => {}
        }
    }

    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let mut faults = Vec::new();
        Check { description: self.description, faults: &mut faults }.value(schema, value, "");
        faults.is_empty()
    }

    fn kind(&mut self, schema: &Value, value: &Value, at: &str) {
        let kinds: Vec<&str> = match &schema["type"] {
            Value::String(kind) => vec![kind],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => return,
        };
        let fits = kinds.iter().any(|kind| match *kind {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => false,
        });
        if !fits {
            self.fault(at, &format!("{value} is not {kinds:?}"));
        }
    }

    fn text(&mut self, schema: &Value, text: &str, at: &str) {
        if let Some(words) = schema["enum"].as_array()
            && !words.iter().any(|word| word == text)
        {
            self.fault(at, &format!("{text:?} is not one of {words:?}"));
        }
        let is_time = || text.len() == 24 && text.ends_with('Z') && Time::parse(text).is_some();
        if schema["format"] == "date-time" && !is_time() {
            self.fault(at, &format!("{text:?} is no time in UTC with milliseconds"));
        }
    }

    fn object(&mut self, schema: &Value, members: &Map<String, Value>, at: &str) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                self.fault(at, &format!("{name} is missing"));
            }
        }
        for (name, member) in members {
            let at = format!("{at}.{name}");
            match (schema["properties"].get(name), schema.get("additionalProperties")) {
                (Some(property), _) => self.value(property, member, &at),
                (None, Some(others)) => self.value(others, member, &at),
                (None, None) => self.fault(&at, "is not described"),
            }
        }
    }
}

#[test]
fn the_check_itself_finds_what_is_wrong() {
    let description = serde_json::json!({
        "paths": { "/x": { "get": { "responses": { "200": { "content": { "application/json": {
            "schema": { "$ref": "#/components/schemas/X" }
        } } } } } } },
        "components": { "schemas": {
            "T": { "type": "string", "format": "date-time" },
            "X": { "type": "object", "required": ["at", "n"], "properties": {
                "at": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/T" }] },
                "n": { "type": "integer", "minimum": 0 },
                "word": { "type": "string", "enum": ["a", "b"] },
            } },
        } },
    });
    let count = |body: Value| faults(&description, "/x", "get", "200", &body).len();
    assert_eq!(count(serde_json::json!({ "at": null, "n": 1, "word": "a" })), 0);
    assert_eq!(count(serde_json::json!({ "at": "2026-11-24T06:00:00.000Z", "n": 1 })), 0);
    for wrong in [
        serde_json::json!({ "n": 1 }),
        serde_json::json!({ "at": "2026-11-24T06:00:00Z", "n": 1 }),
        serde_json::json!({ "at": null, "n": -1 }),
        serde_json::json!({ "at": null, "n": 1.5 }),
        serde_json::json!({ "at": null, "n": 1, "word": "c" }),
        serde_json::json!({ "at": null, "n": 1, "more": 1 }),
        serde_json::json!([]),
    ] {
        assert_eq!(count(wrong.clone()), 1, "{wrong}");
    }
}
