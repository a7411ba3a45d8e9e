//! Typeface and colours of all figures.

use std::fmt::Write as _;

use crate::palette::{ALGORITHMS, style_of};

/// The typeface of all figures, embedded so that a figure looks the same everywhere.
pub(crate) const FONT_FAMILY: &str = "Inter";

/// Colours that are no algorithm's: name, on white, on near black.
pub(crate) const COLOURS: [(&str, &str, &str); 8] = [
    ("paper", "#ffffff", "#14161a"),
    ("ink", "#1a1d21", "#e8eaed"),
    ("muted", "#5b6169", "#a0a6ae"),
    ("rule", "#e3e6ea", "#2b2f36"),
    ("line", "#8d939b", "#6d737b"),
    ("box", "#9db4c8", "#5d7d99"),
    ("before", "#c9ced4", "#474d55"),
    ("target", "#1a1d21", "#ffffff"),
];

/// The rules of all classes that figures use; `colour` turns a name into a colour or a variable.
fn rules(colour: impl Fn(&str) -> String) -> String {
    let mut css = String::new();
    let (ink, muted, rule) = (colour("ink"), colour("muted"), colour("rule"));
    let (line, paper, target) = (colour("line"), colour("paper"), colour("target"));
    let (boxed, before) = (colour("box"), colour("before"));
    let _ = write!(
        css,
        ".head{{font-size:17px;font-weight:600;fill:{ink}}}\
         .title{{font-size:13px;font-weight:600;fill:{ink}}}\
         .text{{font-size:12px;fill:{ink}}}\
         .small{{font-size:11px;fill:{muted}}}\
         .tick{{font-size:11px;fill:{muted}}}\
         .label{{font-size:11.5px;fill:{muted}}}\
         .cell{{font-size:12px;font-weight:600}}\
         .number{{font-size:11px}}\
         .atom{{font-size:11px;font-weight:600;fill:#16181b;stroke:#ffffff;stroke-opacity:.82;\
         stroke-width:2.6px;stroke-linejoin:round;paint-order:stroke}}\
         .on-light{{fill:#16181b}}.on-dark{{fill:#ffffff}}\
         .grid{{stroke:{rule};stroke-width:1}}\
         .axis{{stroke:{line};stroke-width:1}}\
         .target{{stroke:{target};stroke-width:1.4;stroke-dasharray:5 3}}\
         .whisker{{stroke:{line};stroke-width:1.6}}\
         .dot{{fill:{ink}}}.box{{fill:{boxed}}}\
         .median{{stroke:{ink};stroke-width:2}}\
         .before{{fill:{before}}}\
         .empty{{fill:none;stroke:{rule};stroke-width:1}}\
         .cage{{stroke:{line};stroke-width:1.2}}"
    );
    for algorithm in ALGORITHMS {
        let style = style_of(algorithm);
        let (key, own) = (style.key, colour(style.key));
        let _ = write!(
            css,
            ".l-{key}{{fill:none;stroke:{own};stroke-width:2;stroke-linejoin:round}}\
             .r-{key}{{fill:none;stroke:{own};stroke-width:1.5;stroke-dasharray:4 3}}\
             .b-{key}{{fill:{own};fill-opacity:.16}}\
             .f-{key}{{fill:{own}}}\
             .m-{key}{{fill:{own};stroke:{paper};stroke-width:1.2}}\
             .h-{key}{{fill:{paper};stroke:{own};stroke-width:1.8}}\
             .d-{key}{{fill:{own};fill-opacity:.45}}\
             .t-{key}{{font-size:11.5px;font-weight:600;fill:{own}}}"
        );
    }
    css
}

/// For a figure in a file of its own, on white.
pub(crate) fn file_rules() -> String {
    let light = |name: &str| {
        let known = COLOURS.iter().find(|(other, ..)| *other == name);
        let algorithms = ALGORITHMS.map(style_of);
        let algorithm = algorithms.iter().find(|style| style.key == name);
        let own = algorithm.map(|style| style.light);
        known
            .map(|(_, light, _)| *light)
            .or(own)
            .unwrap_or("#000000")
            .to_owned()
    };
    format!(
        "text{{font-family:{FONT_FAMILY},sans-serif}}{}",
        rules(light)
    )
}

/// For figures within the page: the same rules over variables, which have a light and a dark value.
pub(crate) fn page_rules() -> String {
    let variables = |dark: bool| {
        let mut css = String::new();
        for (name, on_white, on_black) in COLOURS {
            let _ = write!(css, "--{name}:{};", if dark { on_black } else { on_white });
        }
        for algorithm in ALGORITHMS {
            let style = style_of(algorithm);
            let colour = if dark { style.dark } else { style.light };
            let _ = write!(css, "--{}:{colour};", style.key);
        }
        css
    };
    format!(
        ":root{{color-scheme:light dark;{}}}\
         @media screen and (prefers-color-scheme:dark){{:root{{{}}}}}{}",
        variables(false),
        variables(true),
        rules(|name| format!("var(--{name})"))
    )
}
