//! What the services and their messages look like, for those who ask: tables in, descriptors of protobuf out. The
//! generated code has none of it; a test compares these with what it was generated from.

mod a2a;
mod a2a_v03;
mod card;
mod card_v03;
mod google;

use prost_types::field_descriptor_proto::{Label as ProtoLabel, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet, MessageOptions, MethodDescriptorProto, OneofDescriptorProto,
    ServiceDescriptorProto,
};

/// The service of A2A 1.0 (A2A 1.0 §10.3).
pub const A2A_V1: &str = "lf.a2a.v1.A2AService";
/// The service of A2A 0.3 (A2A 0.3 §3.2.2).
pub const A2A_V03: &str = "a2a.v1.A2AService";
/// The service that tells whether others are well.
pub const HEALTH: &str = "grpc.health.v1.Health";
/// The service that tells which services there are.
pub const REFLECTION: &str = "grpc.reflection.v1.ServerReflection";
/// The same, as older tools ask it.
pub const REFLECTION_ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";

/// All services here.
pub const SERVICES: [&str; 5] = [A2A_V1, A2A_V03, HEALTH, REFLECTION, REFLECTION_ALPHA];

/// What a field holds. Messages and enums without a dot at the front are of the same package.
#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Bytes,
    Double,
    Enum(&'static str),
    Int32,
    Int64,
    Message(&'static str),
    Text,
}

/// How often a field is there.
#[derive(Clone, Copy)]
enum Label {
    /// At most one of the fields with this label.
    Choice,
    /// Several, by a key that is a text.
    Map,
    /// Several.
    Many,
    /// Once; what is not said has a value of its own.
    One,
    /// Once or not at all, and both can be told apart.
    Optional,
}

/// A field by its number and name.
type Field = (i32, &'static str, Label, Kind);

/// A message: its name, that of its choice if it has one, its fields.
type Message = (&'static str, Option<&'static str>, &'static [Field]);

/// An enum and its values, which count from zero.
type Enum = (&'static str, &'static [&'static str]);

/// An rpc: its name, what it takes, what it gives, and whether that is a stream.
type Method = (&'static str, &'static str, &'static str, bool);

/// One file of definitions.
struct File {
    name: &'static str,
    package: &'static str,
    imports: &'static [&'static str],
    messages: &'static [&'static [Message]],
    enums: &'static [Enum],
    service: Option<(&'static str, &'static [Method])>,
}

/// The files of A2A.
const A2A: [File; 2] = [a2a::V1, a2a_v03::V03];

/// Every file, those first that others import.
pub fn files() -> FileDescriptorSet {
    FileDescriptorSet { file: google::FILES.iter().chain(&A2A).map(file).collect() }
}

/// Whether a service of A2A has an rpc of this name.
pub fn is_method(service: &str, name: &str) -> bool {
    A2A.iter().any(|File { package, service: own, .. }| {
        own.is_some_and(|(of_package, methods)| {
            service.strip_prefix(package).and_then(|rest| rest.strip_prefix('.')) == Some(of_package)
                && methods.iter().any(|(known, ..)| *known == name)
        })
    })
}

fn file(file: &File) -> FileDescriptorProto {
    FileDescriptorProto {
        name: text(file.name),
        package: text(file.package),
        dependency: file.imports.iter().map(|import| (*import).to_owned()).collect(),
        message_type: file.messages.iter().copied().flatten().map(|it| message(file.package, it)).collect(),
        enum_type: file.enums.iter().map(enumeration).collect(),
        service: file.service.iter().map(|it| service(file.package, it)).collect(),
        syntax: text("proto3"),
        ..FileDescriptorProto::default()
    }
}

fn message(package: &str, (name, choice, fields): &Message) -> DescriptorProto {
    let optional = fields.iter().filter(|(_, _, label, _)| matches!(label, Label::Optional));
    // An optional field is, as far as descriptors go, the only one of a choice of its own.
    let own_choices: Vec<String> = optional.map(|(_, name, ..)| format!("_{name}")).collect();
    let choices = choice.iter().map(|name| (*name).to_owned()).chain(own_choices.iter().cloned());
    let choices: Vec<String> = choices.collect();
    let index = |name: &str| choices.iter().position(|it| it == name).and_then(|at| i32::try_from(at).ok());
    let mut nested = Vec::new();
    let mut described = Vec::new();
    for field @ (_, field_name, label, kind) in *fields {
        let mut description = describe(package, field);
        match label {
            Label::Choice => description.oneof_index = choice.and_then(index),
            Label::Map => {
                let entry = format!("{}Entry", camel(field_name, true));
                description.type_name = Some(format!(".{package}.{name}.{entry}"));
                nested.push(map_entry(package, entry, *kind));
            }
            Label::Optional => {
                description.oneof_index = index(&format!("_{field_name}"));
                description.proto3_optional = Some(true);
            }
            Label::Many | Label::One => {}
        }
        described.push(description);
    }
    DescriptorProto {
        name: text(name),
        field: described,
        nested_type: nested,
        oneof_decl: choices.into_iter().map(oneof).collect(),
        ..DescriptorProto::default()
    }
}

/// The message that a map is a list of.
fn map_entry(package: &str, name: String, kind: Kind) -> DescriptorProto {
    let fields = [(1, "key", Label::One, Kind::Text), (2, "value", Label::One, kind)];
    DescriptorProto {
        name: Some(name),
        field: fields.iter().map(|field| describe(package, field)).collect(),
        options: Some(MessageOptions { map_entry: Some(true), ..MessageOptions::default() }),
        ..DescriptorProto::default()
    }
}

fn oneof(name: String) -> OneofDescriptorProto {
    OneofDescriptorProto { name: Some(name), options: None }
}

fn describe(package: &str, (number, name, label, kind): &Field) -> FieldDescriptorProto {
    let (mut kind, mut of) = match kind {
        Kind::Bool => (Type::Bool, None),
        Kind::Bytes => (Type::Bytes, None),
        Kind::Double => (Type::Double, None),
        Kind::Enum(name) => (Type::Enum, Some(full_name(package, name))),
        Kind::Int32 => (Type::Int32, None),
        Kind::Int64 => (Type::Int64, None),
        Kind::Message(name) => (Type::Message, Some(full_name(package, name))),
        Kind::Text => (Type::String, None),
    };
    if matches!(label, Label::Map) {
        (kind, of) = (Type::Message, None);
    }
    let label = match label {
        Label::Many | Label::Map => ProtoLabel::Repeated,
        Label::Choice | Label::One | Label::Optional => ProtoLabel::Optional,
    };
    FieldDescriptorProto {
        name: text(name),
        number: Some(*number),
        label: Some(label.into()),
        r#type: Some(kind.into()),
        type_name: of,
        json_name: Some(json_name(name)),
        ..FieldDescriptorProto::default()
    }
}

fn enumeration((name, values): &Enum) -> EnumDescriptorProto {
    let values = values.iter().zip(0..).map(|(name, number)| EnumValueDescriptorProto {
        name: text(name),
        number: Some(number),
        options: None,
    });
    EnumDescriptorProto { name: text(name), value: values.collect(), ..EnumDescriptorProto::default() }
}

fn service(package: &str, (name, methods): &(&str, &[Method])) -> ServiceDescriptorProto {
    let methods = methods.iter().map(|(name, takes, gives, is_stream)| MethodDescriptorProto {
        name: text(name),
        input_type: Some(full_name(package, takes)),
        output_type: Some(full_name(package, gives)),
        server_streaming: is_stream.then_some(true),
        ..MethodDescriptorProto::default()
    });
    ServiceDescriptorProto { name: text(name), method: methods.collect(), options: None }
}

fn full_name(package: &str, name: &str) -> String {
    if name.starts_with('.') { name.to_owned() } else { format!(".{package}.{name}") }
}

/// The fields whose name in JSON is another word; all are of A2A 0.3.
const RENAMED: [(&str, &str); 3] = [("msg", "message"), ("request", "message"), ("update", "message")];

fn json_name(name: &str) -> String {
    let other = RENAMED.iter().find(|(renamed, _)| *renamed == name);
    other.map_or_else(|| camel(name, false), |(_, other)| (*other).to_owned())
}

/// `pageSize` of `page_size`, or `PageSize`.
fn camel(name: &str, first_is_upper: bool) -> String {
    let mut upper = first_is_upper;
    let mut camel = String::with_capacity(name.len());
    for letter in name.chars() {
        if letter == '_' {
            upper = true;
        } else {
            camel.push(if upper { letter.to_ascii_uppercase() } else { letter });
            upper = false;
        }
    }
    camel
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[cfg(test)]
mod tests;
