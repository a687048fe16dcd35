//! The statements that read a struct off the wire: into a new one, or into one that is there.

use std::fmt::Write as _;

use anyhow::bail;

use super::{Context, Struct, When, default_of, method, when};
use crate::codegen::schema::{Field, Type, Versions, snake};

/// The variable that a field is read into: its name, unless that is a parameter's.
fn local(field: &Field) -> String {
    match snake(&field.name) {
        name if name == "version" || name == "r" => format!("{name}_field"),
        name => name,
    }
}

/// Reads every field, then makes the struct of them.
pub(super) fn body(context: &Context<'_>, one: &Struct<'_>, has_tags: bool) -> anyhow::Result<String> {
    let mut body = String::new();
    let mut arms = String::new();
    for field in one.fields {
        let place = local(field);
        let option = Context::is_option(field, one.valid);
        let default = default_of(field, option)?;
        let read = read(context, field, one.valid)?;
        if let Some(tagged) = field.tagged {
            let ty = context.rust_type(field, one.valid);
            writeln!(body, "let mut {place}: {ty} = {default};")?;
            let guard = match when(Some(tagged), one.valid) {
                When::Always => String::new(),
                When::Never => continue,
                // Within a flexible message nothing below the first flexible version gets here.
                When::If(test) => format!(" if {test}"),
            };
            writeln!(arms, "{}{guard} => {place} = {read},", field.tag)?;
            continue;
        }
        match when(Some(field.versions), one.valid) {
            When::Always => writeln!(body, "let {place} = {read};")?,
            When::Never => writeln!(body, "let {place} = {default};")?,
            When::If(test) => writeln!(body, "let {place} = if {test} {{ {read} }} else {{ {default} }};")?,
        }
    }
    if has_tags {
        let handler = if arms.is_empty() {
            "|_, _| Ok(false)".to_owned()
        } else {
            format!("|tag, r| {{ match tag {{ {arms} _ => return Ok(false) }} Ok(true) }}")
        };
        let always = matches!(when(context.message.flexible, one.valid), When::Always);
        if always {
            writeln!(body, "let unknown_tags = r.tags({handler})?;")?;
        } else {
            writeln!(body, "let unknown_tags = if flex {{ r.tags({handler})? }} else {{ Tags::default() }};")?;
        }
    }
    let shorthand = |field: &Field| match (snake(&field.name), local(field)) {
        (name, local) if name == local => name,
        (name, local) => format!("{name}: {local}"),
    };
    let mut names: Vec<_> = one.fields.iter().map(shorthand).collect();
    if has_tags {
        names.push("unknown_tags".into());
    }
    write!(body, "Ok(Self {{ {} }})", names.join(", "))?;
    Ok(body)
}

/// Like [`body`], into the fields of `self`.
pub(super) fn into_body(context: &Context<'_>, one: &Struct<'_>, has_tags: bool) -> anyhow::Result<String> {
    let mut body = String::new();
    let mut arms = String::new();
    for field in one.fields {
        let place = format!("self.{}", snake(&field.name));
        let option = Context::is_option(field, one.valid);
        let default = default_of(field, option)?;
        let read = read_into(context, field, one.valid, &place)?;
        if let Some(tagged) = field.tagged {
            writeln!(body, "{place} = {default};")?;
            let guard = match when(Some(tagged), one.valid) {
                When::Always => String::new(),
                When::Never => continue,
                When::If(test) => format!(" if {test}"),
            };
            writeln!(arms, "{}{guard} => {{ {read} }}", field.tag)?;
            continue;
        }
        let clear = if default == "Vec::new()" { format!("{place}.clear();") } else { format!("{place} = {default};") };
        match when(Some(field.versions), one.valid) {
            When::Always => writeln!(body, "{read}")?,
            When::Never => writeln!(body, "{clear}")?,
            When::If(test) => writeln!(body, "if {test} {{ {read} }} else {{ {clear} }}")?,
        }
    }
    if has_tags {
        let handler = if arms.is_empty() {
            "|_, _| Ok(false)".to_owned()
        } else {
            format!("|tag, r| {{ match tag {{ {arms} _ => return Ok(false) }} Ok(true) }}")
        };
        if matches!(when(context.message.flexible, one.valid), When::Always) {
            writeln!(body, "self.unknown_tags = r.tags({handler})?;")?;
        } else {
            writeln!(body, "self.unknown_tags = if flex {{ r.tags({handler})? }} else {{ Tags::default() }};")?;
        }
    }
    body.push_str("Ok(())");
    Ok(body)
}

/// Statements that read a field into `place`.
fn read_into(context: &Context<'_>, field: &Field, valid: Versions, place: &str) -> anyhow::Result<String> {
    let Type::Array(element) = &field.ty else { return Ok(format!("{place} = {};", read(context, field, valid)?)) };
    if Context::is_option(field, valid) {
        bail!("{}: a nullable array is not decoded in place", field.name);
    }
    let flex = if field.never_flexible { "false" } else { "flex" };
    let here = field.versions.intersect(valid).unwrap_or(valid);
    let min = context.min_bytes(element, &field.fields, here);
    let one = match &**element {
        Type::Struct(_) => "|r, element| element.decode_into(r, version)".to_owned(),
        Type::String => format!("|r, element| {{ *element = r.string({flex})?; Ok(()) }}"),
        number => format!("|r, element| {{ *element = r.{}()?; Ok(()) }}", method(number)?),
    };
    Ok(format!("r.array_into({flex}, {min}, &mut {place}, {one})?;"))
}

/// An expression that reads a field.
fn read(context: &Context<'_>, field: &Field, valid: Versions) -> anyhow::Result<String> {
    let flex = if field.never_flexible { "false" } else { "flex" };
    let here = field.versions.intersect(valid).unwrap_or(valid);
    let nullable = when(field.nullable, here);
    let (plain, null) = match &field.ty {
        Type::String => (format!("r.string({flex})?"), format!("r.string_opt({flex})?")),
        Type::Bytes => (format!("r.bytes({flex})?"), format!("r.bytes_opt({flex})?")),
        Type::Records => (format!("r.records({flex})?"), format!("r.records_opt({flex})?")),
        Type::Array(element) => {
            let min = context.min_bytes(element, &field.fields, here);
            let one = match &**element {
                Type::String => format!("|r| r.string({flex})"),
                Type::Struct(name) => format!("|r| {}::decode(r, version)", context.rust_name(name)),
                Type::Array(_) | Type::Bytes | Type::Records => bail!("an array of {element:?}"),
                number => format!("Reader::{}", method(number)?),
            };
            (format!("r.array({flex}, {min}, {one})?"), format!("r.array_opt({flex}, {min}, {one})?"))
        }
        Type::Struct(name) => {
            let decode = format!("{}::decode(r, version)?", context.rust_name(name));
            // A tagged struct says by 0 and 1 what others say by -1 and 1.
            let absent = if field.tagged.is_some() { 0 } else { -1 };
            let null = format!("if r.present({absent})? {{ Some({decode}) }} else {{ None }}");
            (decode, null)
        }
        number => (format!("r.{}()?", method(number)?), String::new()),
    };
    let option = Context::is_option(field, valid);
    Ok(match (nullable, option) {
        (When::Never, false) => plain,
        (When::Never, true) => format!("Some({plain})"),
        (When::Always, _) => null,
        (When::If(test), _) => format!("if {test} {{ {null} }} else {{ Some({plain}) }}"),
    })
}
