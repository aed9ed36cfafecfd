//! The well-known types that messages of A2A are made of.

use super::File;
use super::Kind::{Bool, Double, Enum, Int32, Int64, Message, Text};
use super::Label::{Choice, Many, Map, One};

/// Their files.
pub(super) const FILES: [File; 3] = [
    File {
        name: "google/protobuf/empty.proto",
        package: "google.protobuf",
        imports: &[],
        messages: &[&[("Empty", None, &[])]],
        enums: &[],
        service: None,
    },
    File {
        name: "google/protobuf/struct.proto",
        package: "google.protobuf",
        imports: &[],
        messages: &[&[
            ("Struct", None, &[(1, "fields", Map, Message("Value"))]),
            (
                "Value",
                Some("kind"),
                &[
                    (1, "null_value", Choice, Enum("NullValue")),
                    (2, "number_value", Choice, Double),
                    (3, "string_value", Choice, Text),
                    (4, "bool_value", Choice, Bool),
                    (5, "struct_value", Choice, Message("Struct")),
                    (6, "list_value", Choice, Message("ListValue")),
                ],
            ),
            ("ListValue", None, &[(1, "values", Many, Message("Value"))]),
        ]],
        enums: &[("NullValue", &["NULL_VALUE"])],
        service: None,
    },
    File {
        name: "google/protobuf/timestamp.proto",
        package: "google.protobuf",
        imports: &[],
        messages: &[&[("Timestamp", None, &[(1, "seconds", One, Int64), (2, "nanos", One, Int32)])]],
        enums: &[],
        service: None,
    },
];
