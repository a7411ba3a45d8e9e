//! The colours of elements in all pictures of crystals.

use crystalgym_crystal::Element;

/// Colour of an element, `#rrggbb`: as Jmol draws it, but for those that it draws like another element
/// of the same crystals; grey for those it has none for.
pub fn element_colour(element: Element) -> String {
    let own = OWN.iter().find(|(symbol, _)| *symbol == element.symbol());
    let index = usize::from(element.atomic_number()) - 1;
    let jmol = JMOL.get(index).copied().unwrap_or(0x90_90_90);
    let colour = own.map_or(jmol, |(_, colour)| *colour);
    format!("#{colour:06x}")
}

/// Jmol's greens of F, Cl and the alkaline earth metals are one colour to the eye, so that a fluoride
/// of magnesium is a cell of one green: the metals go from olive over blue to teal here. Its violets of the
/// alkali metals are a little further apart.
#[expect(clippy::unreadable_literal, reason = "colours are read as six digits")]
const OWN: [(&str, u32); 10] = [
    ("Li", 0xdfa6ff),
    ("Na", 0xb062f5),
    ("K", 0x8b36c9),
    ("Rb", 0x641d9a),
    ("Be", 0x8a8f00),
    ("F", 0xb6f28c),
    ("Mg", 0x1f7a4d),
    ("Ca", 0x63a8dc),
    ("Sr", 0x0f8b9e),
    ("Ba", 0x0b4f6c),
];

/// Jmol's colours of the elements 1 to 109, as 0xrrggbb.
#[rustfmt::skip]
#[expect(clippy::unreadable_literal, reason = "colours are read as six digits")]
const JMOL: [u32; 109] = [
    0xffffff, 0xd9ffff, 0xcc80ff, 0xc2ff00, 0xffb5b5, 0x909090, 0x3050f8, 0xff0d0d,
    0x90e050, 0xb3e3f5, 0xab5cf2, 0x8aff00, 0xbfa6a6, 0xf0c8a0, 0xff8000, 0xffff30,
    0x1ff01f, 0x80d1e3, 0x8f40d4, 0x3dff00, 0xe6e6e6, 0xbfc2c7, 0xa6a6ab, 0x8a99c7,
    0x9c7ac7, 0xe06633, 0xf090a0, 0x50d050, 0xc88033, 0x7d80b0, 0xc28f8f, 0x668f8f,
    0xbd80e3, 0xffa100, 0xa62929, 0x5cb8d1, 0x702eb0, 0x00ff00, 0x94ffff, 0x94e0e0,
    0x73c2c9, 0x54b5b5, 0x3b9e9e, 0x248f8f, 0x0a7d8c, 0x006985, 0xc0c0c0, 0xffd98f,
    0xa67573, 0x668080, 0x9e63b5, 0xd47a00, 0x940094, 0x429eb0, 0x57178f, 0x00c900,
    0x70d4ff, 0xffffc7, 0xd9ffc7, 0xc7ffc7, 0xa3ffc7, 0x8fffc7, 0x61ffc7, 0x45ffc7,
    0x30ffc7, 0x1fffc7, 0x00ff9c, 0x00e675, 0x00d452, 0x00bf38, 0x00ab24, 0x4dc2ff,
    0x4da6ff, 0x2194d6, 0x267dab, 0x266696, 0x175487, 0xd0d0e0, 0xffd123, 0xb8b8d0,
    0xa6544d, 0x575961, 0x9e4fb5, 0xab5c00, 0x754f45, 0x428296, 0x420066, 0x007d00,
    0x70abfa, 0x00baff, 0x00a1ff, 0x008fff, 0x0080ff, 0x006bff, 0x545cf2, 0x785ce3,
    0x8a4fe3, 0xa136d4, 0xb31fd4, 0xb31fba, 0xb30da6, 0xbd0d87, 0xc70066, 0xcc0059,
    0xd1004f, 0xd90045, 0xe00038, 0xe6002e, 0xeb0026,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// CIE L*a*b* of sRGB under D65 (IEC 61966-2-1, CIE 15).
    fn lab(colour: &str) -> [f64; 3] {
        let value = u32::from_str_radix(&colour[1..], 16).unwrap();
        let linear = [value >> 16, (value >> 8) & 255, value & 255].map(|channel| {
            let c = f64::from(channel) / 255.0;
            match c <= 0.04045 {
                true => c / 12.92,
                false => ((c + 0.055) / 1.055).powf(2.4),
            }
        });
        let [r, g, b] = linear;
        let xyz = [
            (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047,
            0.2126 * r + 0.7152 * g + 0.0722 * b,
            (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883,
        ];
        let [x, y, z] = xyz.map(|t: f64| match t > (6.0f64 / 29.0).powi(3) {
            true => t.cbrt(),
            false => t * (29.0f64 / 6.0).powi(2) / 3.0 + 4.0 / 29.0,
        });
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    fn apart(first: &str, second: &str) -> f64 {
        let [a, b] = [first, second].map(|symbol| lab(&element_colour(symbol.parse().unwrap())));
        let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
        squares.sum::<f64>().sqrt()
    }

    /// A difference of 2.3 in CIE76 can just be seen; neighbours in a legend need some ten.
    #[test]
    fn elements_of_the_small_action_set_differ() {
        let small = "Li Na K Rb Be Ca Mg Sr H C N O P S Se F Cl Br";
        let small: Vec<&str> = small.split(' ').collect();
        for (index, first) in small.iter().enumerate() {
            for second in &small[index + 1..] {
                let found = apart(first, second);
                assert!(found > 12.0, "{first} {second}: {found}");
            }
        }
        for (first, second) in [("F", "Mg"), ("Cl", "Ca"), ("Cl", "Sr"), ("F", "Ca")] {
            assert!(apart(first, second) > 40.0, "{first} {second}");
        }
    }
}
