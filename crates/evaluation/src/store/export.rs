//! Results of a store as CSV, JSON lines and extxyz.

use std::{
    io::{self, Write},
    str::FromStr,
};

use crystalgym_crystal::{Structure, StructureFormat};

use super::{StoreError, StoredResult};
use crate::{Accuracy, Outcome};

/// A form in which results leave the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// One row a result, the main numbers only.
    Csv,
    /// One JSON object a line, everything.
    JsonLines,
    /// One frame a success, property and energy in the comment line.
    ExtXyz,
}

impl FromStr for ExportFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::JsonLines),
            "extxyz" => Ok(Self::ExtXyz),
            _ => Err(format!(
                "unknown export format '{name}': expected csv, jsonl or extxyz"
            )),
        }
    }
}

impl StoredResult {
    /// Writes results in a form of the caller's choice.
    ///
    /// # Errors
    /// [`StoreError::Export`].
    pub fn write_all(
        results: &[Self],
        format: ExportFormat,
        out: &mut dyn Write,
    ) -> Result<(), StoreError> {
        let written = match format {
            ExportFormat::Csv => write_csv(results, out),
            ExportFormat::JsonLines => write_json_lines(results, out),
            ExportFormat::ExtXyz => write_extxyz(results, out),
        };
        written
            .and_then(|()| out.flush())
            .map_err(StoreError::Export)
    }
}

/// The atoms come in the order of the stored structure, which has its own origin and cell and is no filling of
/// the skeleton's sites: their column is not called `elements`, as those of fillings are.
fn write_csv(results: &[StoredResult], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "skeleton,structure_elements,formula,property,value,failure,total_energy_ev,homo_ev,lumo_ev,\
         pressure_gpa,volume_ang3,scf_iterations,seconds,calculator,pseudopotentials,accuracy,\
         ecutwfc_ry,ecutrho_ry,k_mesh,warnings,version,created,key"
    )?;
    for result in results {
        let show = |x: Option<f64>| x.map_or(String::new(), |x| x.to_string());
        let values = match &result.outcome {
            Outcome::Success(values) => Some(values),
            Outcome::Failure(_) => None,
        };
        let energy = |get: fn(&crate::Values) -> Option<f64>| show(values.and_then(get));
        let failure = result.outcome.failure();
        let settings = result.settings.as_ref();
        let codes: Vec<&str> = values.map_or_else(Vec::new, |values| {
            values.warnings.iter().map(|w| w.code.name()).collect()
        });
        writeln!(
            out,
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
            quoted(&result.skeleton),
            result.elements,
            result.formula,
            result.property,
            show(result.outcome.value()),
            failure.map_or("", |failure| failure.code.name()),
            energy(|v| v.total_energy_ev),
            energy(|v| v.homo_ev),
            energy(|v| v.lumo_ev),
            energy(|v| v.pressure_gpa),
            show(values.map(|v| v.volume_ang3)),
            values.map_or(failure.map_or(0, |f| f.scf_iterations), |v| v
                .scf_iterations),
            result.outcome.seconds(),
            quoted(&result.calculator),
            quoted(settings.map_or("", |settings| &settings.pseudopotentials)),
            settings
                .and_then(|settings| settings.accuracy)
                .map_or("", Accuracy::name),
            show(settings.map(|settings| settings.ecutwfc_ry)),
            show(settings.map(|settings| settings.ecutrho_ry)),
            settings.map_or_else(String::new, |settings| mesh(settings.k_mesh)),
            codes.join(" "),
            quoted(&result.version),
            result.created,
            result.key,
        )?;
    }
    Ok(())
}

/// Three numbers with blanks between them.
fn mesh(divisions: [u32; 3]) -> String {
    divisions.map(|d| d.to_string()).join(" ")
}

/// A CSV field that may hold anything. What a spreadsheet would take for a formula gets an apostrophe
/// in front.
fn quoted(text: &str) -> String {
    let guard = match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => "'",
        false => "",
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{guard}{text}")
    }
}

fn write_json_lines(results: &[StoredResult], out: &mut dyn Write) -> io::Result<()> {
    for result in results {
        serde_json::to_writer(&mut *out, result)?;
        writeln!(out)?;
    }
    Ok(())
}

fn write_extxyz(results: &[StoredResult], out: &mut dyn Write) -> io::Result<()> {
    for result in results {
        let Outcome::Success(values) = &result.outcome else {
            continue;
        };
        let structure = Structure::from_text(&result.structure, StructureFormat::Json)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let mut info = vec![
            ("skeleton", result.skeleton.clone()),
            ("calculator", result.calculator.clone()),
            (result.property.as_str(), values.value.to_string()),
        ];
        if let Some(energy) = values.total_energy_ev {
            info.push(("energy", energy.to_string()));
        }
        if let Some(settings) = &result.settings {
            info.extend([
                ("pseudopotentials", settings.pseudopotentials.clone()),
                ("ecutwfc_ry", settings.ecutwfc_ry.to_string()),
                ("ecutrho_ry", settings.ecutrho_ry.to_string()),
                ("k_mesh", mesh(settings.k_mesh)),
            ]);
            let accuracy = settings.accuracy.map(|accuracy| accuracy.name().to_owned());
            info.extend(accuracy.map(|accuracy| ("accuracy", accuracy)));
        }
        if !values.warnings.is_empty() {
            let codes: Vec<&str> = values.warnings.iter().map(|w| w.code.name()).collect();
            info.push(("warnings", codes.join(" ")));
        }
        info.push(("version", result.version.clone()));
        out.write_all(structure.to_extxyz_with(&info).as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::quoted;

    /// Oracle: RFC 4180 for quotes; what spreadsheets read as formulas begins with = + - @.
    #[test]
    fn a_text_field_is_never_a_formula() {
        for (text, field) in [
            ("C2", "C2"),
            ("a,b", "\"a,b\""),
            ("say \"so\"", "\"say \"\"so\"\"\""),
            ("=1+1", "'=1+1"),
            ("@SUM(1,2)", "\"'@SUM(1,2)\""),
            ("-2+3", "'-2+3"),
            ("my-cell", "my-cell"),
            ("a\rb", "\"a\rb\""),
        ] {
            assert_eq!(quoted(text), field);
        }
    }
}
