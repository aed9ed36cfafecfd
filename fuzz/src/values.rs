//! `google.protobuf.Value` and the JSON that it stands for.

use prost_types::value::Kind;
use prost_types::{Struct, Value};

/// How deep the objects and lists of a value nest.
pub fn depth(value: &Value) -> usize {
    match &value.kind {
        Some(Kind::ListValue(list)) => 1 + list.values.iter().map(depth).max().unwrap_or(0),
        Some(Kind::StructValue(object)) => 1 + object.fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Whether every number of a value is one that JSON has.
pub fn is_finite(value: &Value) -> bool {
    match &value.kind {
        Some(Kind::ListValue(list)) => list.values.iter().all(is_finite),
        Some(Kind::NumberValue(number)) => number.is_finite(),
        Some(Kind::StructValue(object)) => object.fields.values().all(is_finite),
        Some(Kind::BoolValue(_) | Kind::NullValue(_) | Kind::StringValue(_)) | None => true,
    }
}

/// The value in the only form that it has when it was JSON meanwhile: null is one value, and nothing else stands for it.
pub fn plain(value: Value) -> Value {
    let kind = match value.kind {
        None | Some(Kind::NullValue(_)) => Kind::NullValue(0),
        Some(Kind::ListValue(mut list)) => {
            list.values = list.values.into_iter().map(plain).collect();
            Kind::ListValue(list)
        }
        Some(Kind::StructValue(object)) => Kind::StructValue(plain_object(object)),
        Some(other) => other,
    };
    Value { kind: Some(kind) }
}

/// The same of an object.
pub fn plain_object(object: Struct) -> Struct {
    Struct { fields: object.fields.into_iter().map(|(name, value)| (name, plain(value))).collect() }
}
