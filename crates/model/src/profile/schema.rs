//! JSON Schemas of what serde alone does not tell.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// A table by the kernel's own names. In a file nobody has to quote their dots, so that a table there may hold tables.
pub(super) fn by_kernel_name<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let value = generator.subschema_for::<T>();
    if generator.contract().is_serialize() {
        return json_schema!({ "type": "object", "additionalProperties": value });
    }
    let nested = generator.subschema_for::<Nested<T>>();
    json_schema!({ "type": "object", "additionalProperties": { "anyOf": [value, nested] } })
}

/// A table in such a table, to any depth.
struct Nested<T>(std::marker::PhantomData<T>);

impl<T: JsonSchema> JsonSchema for Nested<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("{}Table", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        by_kernel_name::<T>(generator)
    }
}
