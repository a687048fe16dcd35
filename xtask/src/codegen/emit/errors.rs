//! How a response shows its error codes, so that they can be counted whatever the API.

use std::collections::BTreeSet;

use super::{Context, Field, Kind, Message, Struct, Type, When, names, snake, when};

/// Whether a field tells how a request, or a part of it, went.
fn is_error(field: &Field) -> bool {
    field.ty == Type::Int16 && ["ErrorCode", "PartitionErrorCode"].contains(&field.name.as_str())
}

/// The structs of a response that carry error codes, themselves or in what they hold, by their names in the schema.
pub fn structs(message: &Message) -> BTreeSet<String> {
    fn visit(name: Option<&str>, fields: &[Field], found: &mut BTreeSet<String>) -> bool {
        let mut any = false;
        for field in fields {
            let inner = field.ty.struct_name();
            any |= is_error(field);
            any |= visit(inner, &field.fields, found) || inner.is_some_and(|inner| found.contains(inner));
        }
        if any {
            found.extend(name.map(str::to_owned));
        }
        any
    }
    let mut found = BTreeSet::new();
    if message.kind != Kind::Response {
        return found;
    }
    for (name, fields) in &message.common {
        visit(Some(name), fields, &mut found);
    }
    visit(None, &message.fields, &mut found);
    found
}

impl Context<'_> {
    fn carries_errors(&self, fields: &[Field]) -> bool {
        let inside = |field: &Field| field.ty.struct_name().is_some_and(|name| self.with_errors.contains(name));
        self.message.kind == Kind::Response && fields.iter().any(|field| is_error(field) || inside(field))
    }

    /// The method by which the trait `Message` hands on to the struct's own.
    pub fn errors_method(&self, fields: &[Field]) -> &'static str {
        match self.carries_errors(fields) {
            true => "fn errors(&self, version: i16, each: &mut dyn FnMut(i16)) { self.errors(version, each) }\n",
            false => "",
        }
    }
}

/// The function that shows every error code, as far as the version carries it; nothing where there is none.
pub fn function(context: &Context<'_>, one: &Struct<'_>) -> String {
    if !context.carries_errors(one.fields) {
        return String::new();
    }
    let mut body = String::new();
    for field in one.fields {
        let place = format!("self.{}", snake(&field.name));
        let nested = field.ty.struct_name().is_some_and(|name| context.with_errors.contains(name));
        let option = Context::is_option(field, one.valid);
        let show = match &field.ty {
            _ if is_error(field) => format!("each({place});"),
            _ if !nested => continue,
            Type::Array(_) if option => format!("{place}.iter().flatten().for_each(|one| one.errors(version, each));"),
            Type::Array(_) => format!("{place}.iter().for_each(|one| one.errors(version, each));"),
            _ if option => format!("if let Some(one) = &{place} {{ one.errors(version, each); }}"),
            _ => format!("{place}.errors(version, each);"),
        };
        match when(Some(field.versions), one.valid) {
            When::Always => body.push_str(&show),
            When::Never => {}
            When::If(test) => body.push_str(&format!("if {test} {{ {show} }}")),
        }
    }
    let version = if names(&body, "version") { "version" } else { "_version" };
    format!("pub fn errors(&self, {version}: i16, each: &mut dyn FnMut(i16)) {{\n{body}\n}}\n")
}
