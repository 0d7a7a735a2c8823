//! JSON Schemas (draft 2020-12) of what `--json` prints and of the profile's file, out of the types themselves.
//!
//! A field may be added to what is printed, so that the schemas let unknown ones through; the profile's file may not have
//! any.

use hftune_model::profile::Profile;
use hftune_model::{jitter, netlat, plan, quiet};
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema, json_schema};

use crate::{
    capture, drift, explain, host, irq, nic, nic_tune, profile, run_check, transactions, verify,
    vma_check, vma_params, vma_stats,
};

/// The schema of the profile's file.
pub const PROFILE_FILE: &str = "hftune/profile-file/1";

/// A schema and the value of the field `schema` of what it describes.
#[derive(Debug)]
pub struct Named {
    /// Like "hftune/plan/1".
    pub id: &'static str,
    /// The schema.
    pub schema: Schema,
}

impl Named {
    /// The file that it is kept in, below `docs/schema`.
    pub fn file(&self) -> String {
        let name = self.id.trim_start_matches("hftune/").replace('/', "-");
        format!("{name}.json")
    }
}

/// Every schema that ships.
pub fn all() -> Vec<Named> {
    vec![
        output::<capture::Captured<'_>>("hftune/captured/1"),
        output::<drift::Status>(drift::Status::SCHEMA),
        output::<transactions::Setup>("hftune/drift-disable/1"),
        output::<transactions::Setup>("hftune/drift-enable/1"),
        output::<explain::One<'_>>("hftune/explain/1"),
        output::<transactions::History<'_>>("hftune/history/1"),
        output::<host::Report<'_>>("hftune/host/1"),
        output::<irq::Report<'_>>("hftune/irq/1"),
        output::<jitter::Jitter>(jitter::SCHEMA),
        output::<netlat::Netlat>(netlat::SCHEMA),
        output::<nic::Report<'_>>("hftune/nic/1"),
        output::<nic_tune::Tuned>(nic_tune::Tuned::SCHEMA),
        output::<plan::Plan>(plan::Plan::SCHEMA),
        output::<profile::Json<'_>>("hftune/profile/1"),
        Named {
            id: PROFILE_FILE,
            schema: profile_file(),
        },
        output::<quiet::Quiet>(quiet::SCHEMA),
        output::<transactions::Rollback>("hftune/rollback/1"),
        output::<run_check::Report<'_>>("hftune/run-check/1"),
        output::<explain::List<'_>>("hftune/settings/1"),
        output::<transactions::Setup>("hftune/setup/1"),
        output::<verify::Report<'_>>("hftune/verify/1"),
        output::<vma_check::Report<'_>>("hftune/vma-check/1"),
        output::<transactions::Setup>("hftune/vma-configure/1"),
        output::<transactions::Setup>("hftune/vma-install/1"),
        output::<vma_params::Report>("hftune/vma-params/1"),
        output::<vma_stats::Report<'_>>("hftune/vma-stats/1"),
    ]
}

/// The schema of an output whose field `schema` is `id`.
fn output<T: JsonSchema>(id: &'static str) -> Named {
    let generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    Plain.transform(&mut schema);
    name(&mut schema, id);
    let properties = schema.get_mut("properties");
    let field = properties
        .and_then(|properties| properties.get_mut("schema"))
        .unwrap_or_else(|| panic!("what prints {id} says so in a field of its own"));
    *field = serde_json::json!({ "const": id, "description": "The form of this object; fields may be added to it" });
    Named { id, schema }
}

/// The same as text.
pub fn profile_file_text() -> String {
    crate::to_json(&profile_file())
}

/// The schema of the profile's file: a layer of it, which sets what it names and extends another profile.
fn profile_file() -> Schema {
    let generator = SchemaSettings::draft2020_12()
        .for_deserialize()
        .into_generator();
    let mut schema = generator.into_root_schema_for::<Profile>();
    Plain.transform(&mut schema);
    name(&mut schema, PROFILE_FILE);
    schema.insert(
        "description".to_owned(),
        "A profile of hftune, as hftune profile new writes it".into(),
    );
    if let Some(properties) = schema.get_mut("properties").and_then(|p| p.as_object_mut()) {
        let extends = json_schema!({
            "type": "string",
            "description": "The profile that this one starts from: hft, hft-max, or the path of a file, relative to this one",
        });
        properties.insert("extends".to_owned(), extends.into());
    }
    schema
}

/// Descriptions are the comments of the types: what is Rust in them becomes JSON.
struct Plain;

impl Transform for Plain {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(serde_json::Value::String(text)) = schema.get_mut("description") {
            *text = text
                .replace("[`", "`")
                .replace("`]", "`")
                .replace("`None`", "null");
        }
        transform_subschemas(self, schema);
    }
}

fn name(schema: &mut Schema, id: &str) {
    schema.insert("title".to_owned(), id.into());
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn each_has_a_file_of_its_own() {
        let mut files: Vec<String> = all().iter().map(super::Named::file).collect();
        assert!(files.contains(&"plan-1.json".to_owned()));
        assert!(files.is_sorted(), "{files:?}");
        files.dedup();
        assert_eq!(files.len(), all().len());
    }
}
