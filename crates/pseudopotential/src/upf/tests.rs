//! Headers of both layouts, what is refused, and that nothing makes the reader panic.

use std::path::Path;

use proptest::prelude::*;

use super::*;

const V1: &str = "<PP_INFO>\n<PP_HEADER of an input>\n</PP_INFO>\n\n<PP_HEADER>
   0                   Version Number
  Cl                   Element\n   US                  Ultrasoft pseudopotential
    T                  Nonlinear Core Correction
 SLA  PW   PBX  PBC    PBE  Exchange-Correlation functional
    7.00000000000      Z valence\n  -33.15821320120      Total energy
  0.0  0.0             Suggested cutoff for wfc and rho
    2                  Max angular momentum component
  829                  Number of points in mesh
    2    5             Number of Wavefunctions, Number of Projectors\n</PP_HEADER>\n";
const V2: &str = "<UPF version=\"2.0.1\">\n<!-- <PP_HEADER element=\"Na\" -->
<PP_HEADER generated='by \"atomic\" code, a=b > c'
        element=\" H\" pseudo_type=\"USPP\"\n z_valence=\"1.000000000000000D+000\"
        functional = \"PBE\" core_correction=\".false.\" mesh_size=\"615\" number_of_wfc=\"1\"
        number_of_proj=\"2\"/>";

fn header(text: &str) -> Result<UpfHeader, String> {
    UpfHeader::parse(text.as_bytes(), Path::new("X.upf")).map_err(|error| error.to_string())
}

#[test]
fn reads_free_text_and_attributes() {
    let v1 = header(V1).unwrap();
    assert_eq!((v1.element.symbol(), v1.z_valence), ("Cl", 7.0));
    assert_eq!((v1.version, &*v1.pseudo_type), (UpfVersion::V1, "US"));
    assert_eq!(v1.functional, "SLA PW PBX PBC PBE");
    assert_eq!(
        (v1.mesh_size, v1.orbital_count, v1.projector_count),
        (829, 2, 5)
    );
    let v2 = header(V2).unwrap();
    assert_eq!((v2.element.symbol(), v2.z_valence), ("H", 1.0));
    assert_eq!((v2.version, &*v2.pseudo_type), (UpfVersion::V2, "USPP"));
    assert_eq!(
        (v2.mesh_size, v2.orbital_count, v2.projector_count),
        (615, 1, 2)
    );
}

/// Oracle: the spellings that Fortran's list-directed input takes for true and false.
#[test]
fn flags_are_read_in_every_spelling_and_refused_in_others() {
    for (spellings, value) in [
        (
            [
                "T", "t", ".T.", ".t.", "TRUE", "true", ".TRUE.", ".true.", "True", ".T",
            ],
            true,
        ),
        (
            [
                "F", "f", ".F.", ".f.", "FALSE", "false", ".FALSE.", ".false.", "False", ".F",
            ],
            false,
        ),
    ] {
        for spelling in spellings {
            let v1 = V1.replace("    T      ", &format!("  {spelling}  "));
            assert_eq!(header(&v1).unwrap().core_correction, value, "{spelling}");
            let v2 = V2.replace(".false.", &format!(" {spelling} "));
            assert_eq!(header(&v2).unwrap().core_correction, value, "{spelling}");
        }
    }
    for spelling in ["1", "0", "yes", "TF", "..", "Truely", "-"] {
        let v1 = header(&V1.replace("    T      ", &format!("  {spelling}  "))).unwrap_err();
        let expected = format!("'Nonlinear Core Correction' is '{spelling}', expected T or F");
        assert!(v1.contains("X.upf") && v1.contains(&expected), "{v1}");
        for flag in [
            "core_correction",
            "is_coulomb",
            "has_so",
            "has_wfc",
            "has_gipaw",
            "paw_as_gipaw",
            "with_metagga_info",
            "is_ultrasoft",
            "is_paw",
        ] {
            let text = V2.replace("core_correction=\".false.\"", "");
            let text = text.replace("mesh_size", &format!("{flag}=\"{spelling}\" mesh_size"));
            let message = header(&text).unwrap_err();
            let expected = format!("'{flag}' is '{spelling}', expected T or F");
            assert!(
                message.contains("X.upf") && message.contains(&expected),
                "{message}"
            );
        }
    }
}

#[test]
fn flags_that_contradict_the_type_are_refused() {
    for (pseudo_type, flags, is_good) in [
        ("US", "is_ultrasoft='T' is_paw='F'", true),
        ("US", "is_ultrasoft='F'", false),
        ("US", "is_paw='T'", false),
        ("NC", "is_ultrasoft='T'", false),
        ("NC", "is_paw='.true.'", false),
        ("PAW", "is_ultrasoft='T' is_paw='T'", true),
        ("PAW", "is_ultrasoft='F' is_paw='T'", true),
        ("PAW", "is_paw='F'", false),
        ("nc", "", false),
    ] {
        let text = V2.replace("USPP", pseudo_type);
        let text = text.replace("mesh_size", &format!("{flags} mesh_size"));
        assert_eq!(header(&text).is_ok(), is_good, "{pseudo_type} {flags}");
    }
}

#[test]
fn errors_say_what_is_missing() {
    for (text, expected) in [
        (String::new(), "<PP_HEADER>: not found"),
        (V1.replace("</PP_HEADER>", ""), "not closed"),
        (V1.replace("Cl ", "Qq "), "'Qq' is no chemical element"),
        (V1.replace("7.0", "x7.0"), "'x7.0"),
        (V1.replace("  829 ", "  1e9 "), "up to 100000"),
        (V1.replace("2    5", "2   -5"), "up to 100"),
        (V2.replace("z_valence", "zv"), "z_valence"),
        (V2.replace("/>", ""), "not closed"),
        (V2.replace("1.000000000000000D+000", "-1"), "-1"),
        (V2.replace("1.000000000000000D+000", "1e308"), "1e308"),
        (V2.replace("615", "2"), "at least 3"),
        (V2.replace("615", "18446744073709551616"), "up to 100000"),
        (
            V2.replace("615", "90000")
                .replace("proj=\"2\"", "proj=\"99\""),
            "than any pseudopotential has",
        ),
        (V2.replace("-->", "--"), "has no end"),
    ] {
        let message = header(&text).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
        for head in ["", "<PP_HEADER", "<PP_HEADER>", "<!--"] {
            let _ = UpfHeader::parse(&[head.as_bytes(), tail.as_slice()].concat(), Path::new("X"));
        }
    }
}
