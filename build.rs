//! Turns the built-in packs from YAML, as people write them, into JSON without descriptions and examples, which is read
//! ten times as fast: a filter starts within milliseconds. A test holds the two to each other.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

#[path = "src/detect/leading.rs"]
mod leading;

fn main() -> Result<(), Box<dyn Error>> {
    let out = env::var("OUT_DIR")?;
    println!("cargo::rerun-if-changed=patterns");
    println!("cargo::rerun-if-changed=src/detect/leading.rs");
    for entry in fs::read_dir("patterns")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let name = path.file_stem().ok_or("a pack has a name")?;
            fs::write(Path::new(&out).join(name).with_extension("json"), shortened(&path)?)?;
        }
    }
    Ok(())
}

fn shortened(path: &Path) -> Result<String, Box<dyn Error>> {
    let mut pack: serde_json::Value = serde_saphyr::from_str(&fs::read_to_string(path)?)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    for rule in pack["rules"].as_array_mut().into_iter().flatten() {
        let Some(rule) = rule.as_object_mut() else { continue };
        for text in ["description", "examples", "counter_examples"] {
            rule.remove(text);
        }
        if let Some(pattern) = rule.get("pattern").and_then(|pattern| pattern.as_str()) {
            let run = leading::of_pattern(pattern);
            rule.insert("leading_run".to_owned(), run.into());
        }
    }
    Ok(serde_json::to_string(&pack)?)
}
