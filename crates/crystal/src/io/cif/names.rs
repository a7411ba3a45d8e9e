//! What a name or a number of a space group stands for: entries of the table of 530 settings that
//! `moyo` holds, each with its Hall symbol (International Tables B, table A1.4.2.7).

use std::{collections::HashMap, sync::LazyLock};

use moyo::data::{HallSymbol, HallSymbolEntry, hall_symbol_entry};

use super::operation::{Operation, generate};

/// Operations of the largest setting, that of a face-centred cubic group.
const MOST_OPERATIONS: usize = 192;

/// A setting of a space group.
pub(super) type SettingEntry = HallSymbolEntry;

/// All settings, in the order of their numbers 1 to 530.
pub(super) fn settings() -> impl Iterator<Item = SettingEntry> {
    (1..=530).filter_map(hall_symbol_entry)
}

/// The operations of a setting, centring included.
pub(super) fn operations_of(entry: &SettingEntry) -> Option<Vec<Operation>> {
    operations_of_hall(entry.hall_symbol)
}

fn operations_of_hall(symbol: &str) -> Option<Vec<Operation>> {
    let symbol = HallSymbol::new(symbol)?;
    let mut generators: Vec<Operation> = symbol
        .generators
        .iter()
        .map(|operation| {
            Operation::new(
                operation.rotation_as_array(),
                operation.translation_as_array(),
            )
        })
        .collect();
    generators.extend(
        symbol.centering.lattice_points().iter().map(|point| {
            Operation::new(Operation::IDENTITY.rotation, [point[0], point[1], point[2]])
        }),
    );
    generate(&generators, MOST_OPERATIONS)
}

/// The operations that a Hall symbol generates, and the setting that it is where it is one of the
/// 530; `None` where it is no Hall symbol or has a change of basis.
pub(super) fn from_hall(name: &str) -> Option<Vec<Operation>> {
    let mut symbol = name
        .replace('_', " ")
        .replace('"', "=")
        .replace('\'', "^")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase();
    let lattice = symbol.find(|c| c != '-')?;
    symbol.get_mut(lattice..=lattice)?.make_ascii_uppercase();
    is_hall(&symbol).then(|| operations_of_hall(&symbol))?
}

/// Whether a text follows the grammar of Hall symbols.
fn is_hall(symbol: &str) -> bool {
    let (rotations, shift) = symbol.split_once(" (").unwrap_or((symbol, "0 0 0)"));
    let mut words = rotations.split(' ');
    let lattice = words.next().unwrap_or_default();
    let lattice = lattice.strip_prefix('-').unwrap_or(lattice);
    let shift_is_right = shift.strip_suffix(')').is_some_and(|shift| {
        let numbers = shift.split(' ').filter(|number| {
            number
                .parse::<i8>()
                .is_ok_and(|twelfths| twelfths.abs() < 12)
        });
        numbers.count() == 3 && shift.split(' ').count() == 3
    });
    let mut count = 0;
    let words_are_right = words.all(|word| {
        count += 1;
        let word = word.strip_prefix('-').unwrap_or(word);
        let Some(rest) = word.strip_prefix(['1', '2', '3', '4', '6']) else {
            return false;
        };
        let rest = rest.strip_prefix(['^', '=']).unwrap_or(rest);
        let rest = rest.strip_prefix(['x', 'y', 'z', '*']).unwrap_or(rest);
        rest.chars().all(|c| "abcnuvwd12345".contains(c))
    });
    lattice.len() == 1
        && "PABCIRF".contains(lattice)
        && words_are_right
        && (1..=4).contains(&count)
        && shift_is_right
}

/// Settings that a Hermann–Mauguin name can stand for, in any of its usual spellings; none if it
/// is not understood.
///
/// A short monoclinic symbol stands for every axis that it fits, 'P 2_1/c' for 'P 1 2_1/c 1' and
/// 'P 2_1/c 1 1': the cell decides. A symbol of two origins or of both hexagonal and rhombohedral
/// axes stands for both, unless an extension (`:1`, `:2`, `:H`, `:R`, ICSD's S, Z, H, R) says.
pub(super) fn from_hermann_mauguin(name: &str) -> Vec<SettingEntry> {
    let (symbol, code) = match name.split_once(':') {
        Some((symbol, code)) => (symbol, Some(code.trim().to_lowercase())),
        None => (name, None),
    };
    let (symbol, number) = without_number(symbol);
    let key = compact(symbol);
    let mut found = with_key(&key);
    let mut code = code;
    if found.is_empty() && code.is_none() {
        for (suffix, meaning) in EXTENSIONS {
            if let Some(stem) = key.strip_suffix(suffix) {
                found = with_key(stem);
                if !found.is_empty() {
                    code = Some(meaning.to_owned());
                    break;
                }
            }
        }
    }
    if let Some(number) = number {
        found.retain(|entry| entry.number == number);
    }
    if let Some(code) = code {
        found.retain(|entry| has_code(entry, &code));
    }
    found
}

/// The settings of a number: standard axes, but every unique axis with cell choice 1, both
/// origins, and both hexagonal and rhombohedral axes.
pub(super) fn from_number(number: u16) -> Vec<SettingEntry> {
    let choices = ["", "a", "b", "c", "a1", "b1", "c1", "1", "2", "H", "R"];
    settings()
        .filter(|entry| entry.number == i32::from(number) && choices.contains(&entry.setting))
        .collect()
}

/// Extensions written without a colon and what they mean.
const EXTENSIONS: [(&str, &str); 16] = [
    ("originchoice1", "1"),
    ("originchoice2", "2"),
    ("origin1", "1"),
    ("origin2", "2"),
    ("hexagonalaxes", "h"),
    ("rhombohedralaxes", "r"),
    ("hexagonal", "h"),
    ("rhombohedral", "r"),
    ("o1", "1"),
    ("o2", "2"),
    ("s", "1"),
    ("z", "2"),
    ("hr", "h"),
    ("rs", "r"),
    ("h", "h"),
    ("r", "r"),
];

/// Whether a setting is the one with a coordinate-system code, such as 2, H, -b1 or 1cab.
pub(super) fn has_code(entry: &SettingEntry, code: &str) -> bool {
    let setting = entry.setting.to_lowercase();
    let code = code.to_lowercase();
    setting == code
        || (code == "abc" && setting.is_empty())
        || (matches!(code.as_str(), "1" | "2") && setting.starts_with(&code))
        || (matches!(code.as_str(), "1abc" | "2abc") && setting == code[..1])
        || (matches!(code.as_str(), "b" | "c" | "a") && setting == format!("{code}1"))
}

/// `F m -3 m (No. 225)` as the symbol and the number; P2(1)/c has none.
fn without_number(symbol: &str) -> (&str, Option<i32>) {
    let number = symbol.trim_end().strip_suffix(')').and_then(|rest| {
        let (symbol, number) = rest.rsplit_once(['(', '['])?;
        let number = number.trim().to_lowercase();
        let number = number.trim_start_matches(['n', 'o', '.', '#', ' ']);
        let number: i32 = number.parse().ok()?;
        (number > 6 || symbol.ends_with(' ')).then_some((symbol, Some(number)))
    });
    number.unwrap_or((symbol, None))
}

/// A symbol in lower case without blanks and marks of sub- and superscripts, bars before the digit.
fn compact(symbol: &str) -> String {
    let plain = symbol
        .to_lowercase()
        .replace("\\overline", "-")
        .replace("\\bar", "-")
        .replace("<sub>", "")
        .replace("</sub>", "")
        .replace("<i>", "")
        .replace("</i>", "")
        .replace("3bar", "-3")
        .replace("4bar", "-4")
        .replace("6bar", "-6")
        .replace("1bar", "-1");
    let mut key = String::new();
    for c in plain.chars() {
        match c {
            '\u{304}' | '\u{305}' => {
                let digit = key.pop();
                key.push('-');
                key.extend(digit);
            }
            '\u{2212}' | '\u{2010}'..='\u{2014}' => key.push('-'),
            '₁' => key.push('1'),
            '₂' => key.push('2'),
            '₃' => key.push('3'),
            '₄' => key.push('4'),
            '₅' => key.push('5'),
            '₆' => key.push('6'),
            c if c.is_whitespace() || "_(){}[]$~^\\'\",*".contains(c) => {}
            c => key.push(c),
        }
    }
    key
}

fn with_key(key: &str) -> Vec<SettingEntry> {
    let numbers = BY_SPELLING.get(key).map_or(&[][..], Vec::as_slice);
    let mut found: Vec<SettingEntry> = numbers
        .iter()
        .filter_map(|number| hall_symbol_entry(*number))
        .collect();
    // 'C m m e' is the standard name of one setting and a possible one of another.
    let standard = |entry: &SettingEntry| matches!(entry.setting, "" | "1" | "2");
    if found.iter().all(|entry| matches!(entry.number, 67 | 68)) && found.iter().any(standard) {
        found.retain(standard);
    }
    found
}

/// Numbers of the settings by every spelling of their names.
static BY_SPELLING: LazyLock<HashMap<String, Vec<i32>>> = LazyLock::new(|| {
    let mut numbers = HashMap::<String, Vec<i32>>::new();
    for entry in settings() {
        let mut spellings = spellings(&entry);
        spellings.sort_unstable();
        spellings.dedup();
        for spelling in spellings {
            numbers.entry(spelling).or_default().push(entry.hall_number);
        }
    }
    numbers
});

/// Every usual spelling of a setting's name, [`compact`].
fn spellings(entry: &SettingEntry) -> Vec<String> {
    let full = compact(entry.hm_full);
    let mut spellings = vec![full];
    if (3..=15).contains(&entry.number) {
        let short: Vec<&str> = entry
            .hm_full
            .split(' ')
            .filter(|word| *word != "1")
            .collect();
        spellings.push(compact(&short.join(" ")));
    } else {
        spellings.push(compact(entry.hm_short));
    }
    spellings.extend(name_before_1992(entry.hall_number).map(compact));
    match entry.hall_number {
        206 => spellings.push("c2eb".to_owned()),
        331 => spellings.push("bbeb".to_owned()),
        _ => {}
    }
    if (200..=206).contains(&entry.number) || entry.number >= 221 {
        // Before 1983 the bar was left out: F m 3 m.
        let without_bar: Vec<String> = spellings.iter().map(|s| s.replace("-3", "3")).collect();
        spellings.extend(without_bar);
    }
    spellings
}

/// The name of a setting that since 1992 has an e for two glide planes in one.
fn name_before_1992(hall_number: i32) -> Option<&'static str> {
    Some(match hall_number {
        191 => "A b m 2",
        192 => "B m a 2",
        193 => "B 2 c m",
        194 => "C 2 m b",
        195 => "C m 2 a",
        196 => "A c 2 m",
        203 => "A b a 2",
        204 => "B b a 2",
        205 => "B 2 c b",
        206 => "C 2 c b",
        207 => "C c 2 a",
        208 => "A c 2 a",
        304 => "C m c a",
        305 => "C c m b",
        306 => "A b m a",
        307 => "A c a m",
        308 => "B b c m",
        309 => "B m a b",
        316 => "C m m a",
        317 => "C m m b",
        318 => "A b m m",
        319 => "A c m m",
        320 => "B m c m",
        321 => "B m a m",
        322 | 323 => "C c c a",
        324 | 325 => "C c c b",
        326 | 327 => "A b a a",
        328 | 329 => "A c a a",
        330 | 331 => "B b c b",
        332 | 333 => "B b a b",
        _ => return None,
    })
}
