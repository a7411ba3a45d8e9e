//! What a block says of its symmetry: operations, names and numbers, and how they fit together.
//!
//! Listed operations count most, then a Hall symbol, a Hermann–Mauguin name, a number. Statements
//! that contradict one another, or that leave the setting open, give several *readings*, of which
//! the sites, the cell and the stated composition must leave one.

use super::{
    block::{Block, is_operation_tag},
    error::{parse_error, shown},
    group_type::type_number,
    names::{self, SettingEntry},
    operation::{Operation, group_of, same_group},
    syntax::Token,
};
use crate::{CrystalError, Lattice, matrix::add};

/// More operations than any setting has, with room for supercells of four.
const MOST_OPERATIONS: usize = 4 * 192;

/// One way to read what a block says of its symmetry.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// What it is, for errors.
    pub name: String,
    pub operations: Vec<Operation>,
    /// Whether it is one setting of the several that a name or a number can stand for.
    pub is_setting: bool,
}

/// A name or a number and the settings that it can stand for.
struct Statement<'a> {
    token: Token<'a>,
    is_name: bool,
    settings: Vec<SettingEntry>,
}

impl Statement<'_> {
    fn has_number(&self, number: i32) -> bool {
        self.settings.iter().any(|entry| entry.number == number)
    }

    /// Leaves the settings with a coordinate-system code; a code that the group does not have says
    /// nothing.
    ///
    /// # Errors
    /// If a name stands for other settings than the code.
    fn choose(&mut self, code: &Token) -> Result<(), CrystalError> {
        let coded = |entry: &SettingEntry| names::has_code(entry, code.text.trim());
        let number = self.settings[0].number;
        if !names::settings().any(|entry| entry.number == number && coded(&entry)) {
            return Ok(());
        }
        let mut settings = self.settings.clone();
        settings.retain(coded);
        if settings.is_empty() && self.is_name {
            let message = format!(
                "the name '{}' is of another setting than the code '{}'",
                shown(self.token.text),
                shown(code.text)
            );
            return Err(parse_error(code.line, message));
        }
        if settings.is_empty() {
            settings.extend(names::settings().filter(|e| e.number == number && coded(e)));
        }
        self.settings = settings;
        Ok(())
    }
}

/// Everything that a block says.
struct Said<'a> {
    listed: Vec<Reading>,
    hall: Vec<(Token<'a>, Vec<Operation>)>,
    names: Vec<Statement<'a>>,
    numbers: Vec<Statement<'a>>,
    /// Names that are not understood.
    unknown: Vec<Token<'a>>,
}

/// The readings of a block's symmetry, those first that count most.
///
/// # Errors
/// [`CrystalError::Parse`] if an operation is malformed, or if the symmetry is named in a way that
/// is not understood and listed nowhere.
pub(super) fn readings(block: &Block, lattice: &Lattice) -> Result<Vec<Reading>, CrystalError> {
    let mut said = said(block)?;
    let code = block.item("_space_group_it_coordinate_system_code")?;
    let code = match code {
        Some(code) => Some(code),
        None => block.item("_symmetry_space_group_setting")?,
    };
    if let Some(code) = code.filter(|_| said.listed.is_empty()) {
        for statement in said.names.iter_mut().chain(&mut said.numbers) {
            statement.choose(&code)?;
        }
    }
    let mut readings = if !said.listed.is_empty() {
        beside_operations(&said)
    } else if !said.hall.is_empty() || !said.names.is_empty() || !said.numbers.is_empty() {
        from_names(&said)?
    } else {
        nothing_says_otherwise(block, &said)?
    };
    prefer_unique_axis_b(&mut readings, lattice);
    let mut different: Vec<Reading> = Vec::new();
    for reading in readings {
        let same = |known: &Reading| same_group(&known.operations, &reading.operations);
        if !different.iter().any(same) {
            different.push(reading);
        }
    }
    Ok(different)
}

fn said<'a>(block: &Block<'a>) -> Result<Said<'a>, CrystalError> {
    let mut said = Said {
        listed: Vec::new(),
        hall: Vec::new(),
        names: Vec::new(),
        numbers: Vec::new(),
        unknown: Vec::new(),
    };
    let mut centrings = Vec::new();
    let mut lists = Vec::new();
    for tag in block.tags() {
        let of_group = tag.starts_with("_symmetry") || tag.starts_with("_space_group");
        if !of_group && !is_operation_tag(tag) {
            continue;
        }
        let values = block.values(tag);
        let Some(&token) = values.first() else {
            continue;
        };
        if tag.starts_with("_parent") || tag.contains("patterson") || tag.contains("point_group") {
            continue;
        } else if is_operation_tag(tag) {
            if tag.contains("generator") {
                continue;
            }
            let operations = parsed(&values)?;
            if tag.contains("centering") || tag.contains("centring") {
                centrings.extend(operations);
            } else {
                lists.push((tag.to_owned(), token.line, operations));
            }
        } else if of_group && tag.contains("magn") {
            // Names of magnetic groups: their operations are what counts.
        } else if of_group && tag.contains("hall") {
            match names::from_hall(token.text.trim()) {
                Some(operations) => said.hall.push((token, operations)),
                None => said.unknown.push(token),
            }
        } else if of_group && (tag.contains("h_m") || tag.ends_with("_name")) {
            let settings = names::from_hermann_mauguin(token.text.trim());
            let statement = Statement {
                token,
                is_name: true,
                settings,
            };
            if statement.settings.is_empty() {
                said.unknown.push(token);
            } else if tag.ends_with("_ref") {
                // The name of the type, in its reference setting, which need not be this one.
                let number = statement.settings[0].number as u16;
                said.numbers.push(Statement {
                    settings: names::from_number(number),
                    is_name: false,
                    ..statement
                });
            } else {
                said.names.push(statement);
            }
        } else if of_group
            && (tag.ends_with("it_number")
                || tag.ends_with("int_tables_number")
                || tag.ends_with("group_number"))
        {
            let number = token.text.trim().parse::<u16>().ok();
            let settings = number.map(names::from_number).unwrap_or_default();
            if settings.is_empty() {
                let message = format!("{tag} is '{}', expected 1 to 230", shown(token.text));
                return Err(parse_error(token.line, message));
            }
            said.numbers.push(Statement {
                token,
                is_name: false,
                settings,
            });
        }
        for value in &values[1..] {
            if (tag.contains("h_m") || tag.contains("hall")) && value.text != token.text {
                let message = format!("{tag} is both '{}' and '{}'", token.text, value.text);
                return Err(parse_error(value.line, message));
            }
        }
    }
    let magnetic = lists.iter().any(|(tag, ..)| tag.contains("magn"));
    if lists.is_empty() && !centrings.is_empty() {
        lists.push(("the centring".to_owned(), block.line, centrings.clone()));
    }
    for (tag, line, mut operations) in lists {
        // Centring translations of their own belong to the operations of the same group.
        if !centrings.is_empty() && tag.contains("magn") == magnetic {
            operations = products(&operations, &centrings);
        }
        let count = operations.len();
        let group = if count > MOST_OPERATIONS {
            Err(format!(
                "{count} symmetry operations, expected at most {MOST_OPERATIONS}"
            ))
        } else {
            group_of(&operations)
        };
        said.listed.push(Reading {
            name: format!("the operations of {tag}"),
            operations: group.map_err(|message| parse_error(line, message))?,
            is_setting: false,
        });
    }
    Ok(said)
}

fn parsed(values: &[Token]) -> Result<Vec<Operation>, CrystalError> {
    values
        .iter()
        .map(|token| {
            Operation::parse(token.text).map_err(|message| parse_error(token.line, message))
        })
        .collect()
}

/// Every operation with every centring translation, no more than can be used.
fn products(operations: &[Operation], centrings: &[Operation]) -> Vec<Operation> {
    operations
        .iter()
        .flat_map(|operation| {
            centrings.iter().map(|centring| {
                Operation::new(
                    operation.rotation,
                    add(operation.translation, centring.translation),
                )
            })
        })
        .take(MOST_OPERATIONS + 1)
        .collect()
}

/// Listed operations, and what contradicts them: a name may be that of the type in another setting,
/// but not that of another type.
fn beside_operations(said: &Said) -> Vec<Reading> {
    let mut readings = said.listed.clone();
    let listed = &said.listed[0].operations;
    let mut number = None;
    for (token, operations) in &said.hall {
        if !same_group(listed, operations) {
            let number = *number.get_or_insert_with(|| type_number(listed));
            if number.is_none() || number != type_number(operations) {
                readings.push(Reading {
                    name: format!("the Hall symbol '{}'", token.text),
                    operations: operations.clone(),
                    is_setting: false,
                });
            }
        }
    }
    for statement in said.names.iter().chain(&said.numbers) {
        let all = of_settings(statement);
        if all
            .iter()
            .any(|reading| same_group(listed, &reading.operations))
        {
            continue;
        }
        let number = *number.get_or_insert_with(|| type_number(listed));
        if !number.is_some_and(|number| statement.has_number(i32::from(number))) {
            readings.extend(all);
        }
    }
    readings
}

/// The readings of names and numbers where no operations are listed.
fn from_names(said: &Said) -> Result<Vec<Reading>, CrystalError> {
    let mut readings: Vec<Reading> = said
        .hall
        .iter()
        .map(|(token, operations)| Reading {
            name: format!("the Hall symbol '{}'", token.text),
            operations: operations.clone(),
            is_setting: false,
        })
        .collect();
    if readings.is_empty()
        && said.names.is_empty()
        && let Some(name) = said.unknown.first()
    {
        return Err(not_understood(name));
    }
    for statement in said.names.iter().chain(&said.numbers) {
        let all = of_settings(statement);
        if readings.is_empty() {
            readings = all;
            continue;
        }
        // What both say, or else both.
        let agrees = |known: &Reading| {
            all.iter()
                .any(|reading| same_group(&reading.operations, &known.operations))
        };
        // A number does not say the setting.
        let has_number = |known: &Reading| {
            type_number(&known.operations)
                .is_some_and(|number| statement.has_number(i32::from(number)))
        };
        let both: Vec<Reading> = readings
            .iter()
            .filter(|known| agrees(known))
            .cloned()
            .collect();
        if !both.is_empty() {
            readings = both;
        } else if statement.is_name || !readings.iter().any(has_number) {
            readings.extend(all);
        }
    }
    Ok(readings)
}

fn of_settings(statement: &Statement) -> Vec<Reading> {
    statement
        .settings
        .iter()
        .filter_map(|entry| {
            let choice = match entry.setting {
                "" => String::new(),
                "1" | "2" => format!(", origin choice {}", entry.setting),
                "H" => ", hexagonal axes".to_owned(),
                "R" => ", rhombohedral axes".to_owned(),
                setting => format!(", setting {setting}"),
            };
            let name = format!(
                "{} '{}' as no. {}{choice} (Hall symbol '{}')",
                if statement.is_name {
                    "the name"
                } else {
                    "the number"
                },
                shown(statement.token.text),
                entry.number,
                entry.hall_symbol
            );
            Some(Reading {
                name,
                operations: names::operations_of(entry)?,
                is_setting: true,
            })
        })
        .collect()
}

fn not_understood(name: &Token) -> CrystalError {
    let message = format!(
        "the space group '{}' is not known by this name: expected one of the 530 settings, such as \
         'F m -3 m', 'P 1 21/n 1' or 'F d -3 m :2', or a loop of _space_group_symop_operation_xyz",
        shown(name.text)
    );
    parse_error(name.line, message)
}

/// P 1, unless the block says in some other way that there is symmetry.
fn nothing_says_otherwise(block: &Block, said: &Said) -> Result<Vec<Reading>, CrystalError> {
    if let Some(name) = said.unknown.first() {
        return Err(not_understood(name));
    }
    for tag in block.tags() {
        let of_group = tag.starts_with("_symmetry") || tag.starts_with("_space_group");
        let harmless = tag.ends_with("_id") || tag.contains("_wyckoff");
        if !of_group || harmless {
            continue;
        }
        if let Some(token) = block.values(tag).first() {
            let text = token.text.trim().to_lowercase();
            let none = ["triclinic", "anorthic", "1", "c1^1", "p", "ap"];
            if !none.contains(&text.as_str()) {
                let message = format!(
                    "{tag} is '{}', but there are neither symmetry operations nor the name of a \
                     space group: expected a loop of _space_group_symop_operation_xyz",
                    token.text
                );
                return Err(parse_error(token.line, message));
            }
        }
    }
    Ok(vec![Reading {
        name: "no symmetry".to_owned(),
        operations: vec![Operation::IDENTITY],
        is_setting: false,
    }])
}

/// A short monoclinic symbol in a cell without a unique axis has the usual one, b.
fn prefer_unique_axis_b(readings: &mut Vec<Reading>, lattice: &Lattice) {
    let right_angles = lattice
        .angles()
        .iter()
        .all(|angle| (angle - 90.0).abs() < 0.05);
    let unique_b = |reading: &Reading| {
        reading.operations.iter().all(|operation| {
            let r = operation.rotation;
            r[0][1] == 0 && r[2][1] == 0 && r[1][0] == 0 && r[1][2] == 0 && r[0][0] == r[2][2]
        })
    };
    let monoclinic = |reading: &Reading| {
        let mut axes: Vec<_> = reading.operations.iter().map(|o| o.rotation).collect();
        axes.sort_unstable();
        axes.dedup();
        reading.is_setting && matches!(axes.len(), 2 | 4)
    };
    if right_angles && readings.iter().all(monoclinic) && readings.iter().any(unique_b) {
        readings.retain(unique_b);
    }
}
