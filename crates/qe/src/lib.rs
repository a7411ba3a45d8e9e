//! Quantum ESPRESSO pw.x: decks, processes, output.
