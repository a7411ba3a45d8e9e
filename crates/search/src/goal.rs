//! What a search looks for: a property near a value or within a range.

use std::str::FromStr;

use crystalgym_evaluation::Property;

use crate::{SearchError, error::invalid};

/// A property and the range of values that is wanted, in its unit; a single value is a range of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// The property.
    pub property: Property,
    /// Lowest wanted value.
    pub low: f64,
    /// Highest wanted value.
    pub high: f64,
}

impl Goal {
    /// Values from `low` to `high`.
    ///
    /// # Errors
    /// [`SearchError::Invalid`] unless both are finite and in order, and not negative where the
    /// property is not.
    pub fn new(property: Property, low: f64, high: f64) -> Result<Self, SearchError> {
        let is_signed = property.facts().targets[0] < 0.0;
        let in_order = low.is_finite() && low <= high && high.is_finite();
        if !(in_order && (is_signed || low >= 0.0)) {
            let from = if is_signed { "" } else { " from 0 up" };
            let message = format!("{low}..{high}: expected two numbers{from} in ascending order");
            return Err(invalid("target", message));
        }
        Ok(Self {
            property,
            low,
            high,
        })
    }

    /// Reads `1.5` or `1.4..1.6`.
    ///
    /// # Errors
    /// [`SearchError::Invalid`] for anything else.
    pub fn parse(property: Property, text: &str) -> Result<Self, SearchError> {
        let number = |text: &str| {
            f64::from_str(text.trim()).map_err(|_| {
                let message = format!("'{text}' is no number, expected such as 1.5 or 1.4..1.6");
                invalid("target", message)
            })
        };
        match text.split_once("..") {
            Some((low, high)) => Self::new(property, number(low)?, number(high)?),
            None => Self::new(property, number(text)?, number(text)?),
        }
    }

    /// How far a value is from the range, in the property's unit; 0 within.
    pub fn distance(&self, value: f64) -> f64 {
        (self.low - value).max(value - self.high).max(0.0)
    }

    /// The range in words, with its unit.
    pub fn text(&self) -> String {
        let unit = self.property.unit();
        match self.low == self.high {
            true => format!("{} {unit}", self.low),
            false => format!("{} to {} {unit}", self.low, self.high),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_read_and_measure_distances() {
        let goal = Goal::parse(Property::BandGap, "1.4..1.6").unwrap();
        assert_eq!(goal.text(), "1.4 to 1.6 eV");
        assert_eq!((goal.distance(1.5), goal.distance(1.6)), (0.0, 0.0));
        assert!((goal.distance(1.0) - 0.4).abs() < 1e-15);
        assert!((goal.distance(2.0) - 0.4).abs() < 1e-15);
        let value = Goal::parse(Property::BandGap, "1.5").unwrap();
        assert_eq!(
            (value.distance(2.0), value.text().as_str()),
            (0.5, "1.5 eV")
        );
        for bad in ["wide", "2..1", "-1", "1..nan", "1..inf"] {
            assert!(Goal::parse(Property::BandGap, bad).is_err(), "{bad}");
        }
        assert!(Goal::parse(Property::EnergyAboveHull, "-1..0.1").is_ok());
    }
}
