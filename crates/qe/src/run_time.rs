/// Seconds of a duration as QE's clock prints it: `0.05s`, `1m 2.62s`, `1h 5m`, `2d 3h 4m`.
pub(crate) fn parse_seconds(text: &str) -> Option<f64> {
    let mut seconds = 0.0;
    let mut number = String::new();
    let mut found = false;
    for character in text.chars() {
        match character {
            '0'..='9' | '.' => number.push(character),
            ' ' => {}
            unit => {
                let factor = match unit {
                    'd' => 86_400.0,
                    'h' => 3_600.0,
                    'm' => 60.0,
                    's' => 1.0,
                    _ => return None,
                };
                seconds += factor * number.parse::<f64>().ok()?;
                number.clear();
                found = true;
            }
        }
    }
    (found && number.is_empty()).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_the_clock_formats() {
        for (text, seconds) in [
            ("   0.05s", 0.05),
            ("   1m 2.62s", 62.62),
            ("   1m13.93s", 73.93),
            ("1h 5m", 3900.0),
            ("2d 3h 4m", 183_840.0),
        ] {
            assert!(
                (parse_seconds(text).unwrap() - seconds).abs() < 1e-9,
                "{text}"
            );
        }
        for text in ["", "12", "x", "1y", "..s"] {
            assert_eq!(parse_seconds(text), None, "{text}");
        }
    }
}
