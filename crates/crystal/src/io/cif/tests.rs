//! Names and operations of all 530 settings.

use std::collections::BTreeMap;

use super::{group_type::type_number, names, operation::same_group};

fn settings() -> Vec<names::SettingEntry> {
    (1..=530)
        .filter_map(moyo::data::hall_symbol_entry)
        .collect()
}

/// Identity: the space group of a crystal with sites in general positions is the one whose
/// operations made it.
#[test]
fn every_setting_has_the_operations_of_its_group() {
    for entry in settings() {
        let operations = names::operations_of(&entry).unwrap();
        assert_eq!(
            type_number(&operations),
            Some(entry.number as u16),
            "{entry:?}"
        );
        let from_hall = names::from_hall(entry.hall_symbol).unwrap();
        assert!(same_group(&operations, &from_hall), "{entry:?}");
    }
}

/// A name in full, short, without blanks or with underscores stands for its setting, and for none
/// of another space group.
#[test]
fn every_name_stands_for_its_group() {
    let mut numbers: BTreeMap<String, i32> = BTreeMap::new();
    for entry in settings() {
        for name in [
            entry.hm_full.to_owned(),
            entry.hm_full.replace('_', ""),
            entry.hm_full.replace([' ', '_'], ""),
            entry.hm_full.replace(' ', "_"),
            entry.hm_full.to_uppercase(),
        ] {
            let found = names::from_hermann_mauguin(&name);
            let known = |known: &names::SettingEntry| known.hall_number == entry.hall_number;
            // An e for two glide planes in one leaves open which of two settings it is.
            let open = matches!(entry.number, 67 | 68);
            assert!(
                open || found.iter().any(known),
                "{name} {entry:?} {found:?}"
            );
            assert!(!found.is_empty(), "{name}");
            assert!(
                found.iter().all(|known| known.number == entry.number),
                "{name} {found:?}"
            );
            let before = numbers.insert(name, entry.number);
            assert!(before.is_none_or(|number| number == entry.number));
        }
        let found = names::from_hermann_mauguin(entry.hm_short);
        assert!(
            found.iter().all(|known| known.number == entry.number),
            "{entry:?} {found:?}"
        );
        assert!(!found.is_empty(), "{entry:?}");
    }
}

/// Oracle: International Tables A and the usage of the databases, by hand.
#[test]
fn spellings_and_extensions() {
    let mut wrong = Vec::new();
    for (name, halls) in [
        ("F m -3 m", vec![523]),
        ("Fm-3m", vec![523]),
        ("F m 3 m", vec![523]),
        ("Fm3m", vec![523]),
        ("F 4/m -3 2/m", vec![523]),
        ("F4/m 3 2/m", vec![523]),
        ("F_m_-3_m", vec![523]),
        ("F m \\bar{3} m", vec![523]),
        ("Fm$\\bar3$m", vec![523]),
        ("Fm3\u{305}m", vec![523]),
        ("F m \u{2212}3 m", vec![523]),
        ("F m -3 m (225)", vec![523]),
        ("Fm-3m (No. 225)", vec![523]),
        ("FM-3M", vec![523]),
        ("P a 3", vec![501]),
        ("I a 3 d", vec![530]),
        ("F d -3 m", vec![525, 526]),
        ("F d 3 m", vec![525, 526]),
        ("F d -3 m :1", vec![525]),
        ("Fd-3m:2", vec![526]),
        ("F d -3 m S", vec![525]),
        ("F d -3 m Z", vec![526]),
        ("Fd-3mZ", vec![526]),
        ("F d -3 m (origin choice 2)", vec![526]),
        ("R -3 m", vec![458, 459]),
        ("R -3 m :H", vec![458]),
        ("R-3m:R", vec![459]),
        ("R -3 m H", vec![458]),
        ("R -3 m HR", vec![458]),
        ("R -3 m R", vec![459]),
        ("P 1 21/c 1", vec![81]),
        ("P 21/c", vec![81, 89]),
        ("P2_1/c", vec![81, 89]),
        ("P2(1)/c", vec![81, 89]),
        ("P2~1~/c", vec![81, 89]),
        ("P 2<sub>1</sub>/c", vec![81, 89]),
        ("P2\u{2081}/c", vec![81, 89]),
        ("P 21/n", vec![82, 85, 88]),
        ("P 1 21/n 1", vec![82]),
        ("B 1 1 2/b", vec![99]),
        ("B 2/b", vec![99, 102]),
        ("I 2/a", vec![92, 101]),
        ("A b m 2", vec![191]),
        ("A e m 2", vec![191]),
        ("A b a 2", vec![203]),
        ("A e a 2", vec![203]),
        ("C m c a", vec![304]),
        ("C m c e", vec![304]),
        ("C m m a", vec![316]),
        ("C m m e", vec![316]),
        ("C c c a", vec![322, 323]),
        ("C c c e", vec![322, 323]),
        ("C c c a :2", vec![323]),
        ("P 63/m m c", vec![488]),
        ("P63/mmc", vec![488]),
        ("P 31 2 1", vec![441]),
        ("P b n m", vec![294]),
        ("P n m a :cab", vec![]),
        ("P m n n", vec![276]),
        ("P 1", vec![1]),
        ("P -1", vec![2]),
        ("C -1", vec![]),
        ("foo", vec![]),
        ("", vec![]),
    ] {
        let found: Vec<i32> = names::from_hermann_mauguin(name)
            .iter()
            .map(|entry| entry.hall_number)
            .collect();
        if found != halls {
            wrong.push((name, found, halls));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Nothing that is no Hall symbol reaches the parser of the table's own symbols.
#[test]
fn other_texts_are_no_hall_symbols() {
    for text in [
        "",
        "-",
        "P",
        "Q 2",
        "P 2yq",
        "P 5",
        "P 2 (0 0)",
        "P 2 (x,y,z)",
        "-P 2yb (0 0 99)",
        "P 4 6",
        "P 2é",
        "F m -3 m",
        "P 6z 4x",
        "H 3",
    ] {
        assert!(names::from_hall(text).is_none(), "{text}");
    }
    for (text, hall) in [
        ("P 31 2\"", "P 31 2="),
        ("-f 4 2 3", "-F 4 2 3"),
        ("-F_4_2_3", "-F 4 2 3"),
    ] {
        let expected = names::from_hall(hall).unwrap();
        assert!(
            same_group(&names::from_hall(text).unwrap(), &expected),
            "{text}"
        );
    }
}
