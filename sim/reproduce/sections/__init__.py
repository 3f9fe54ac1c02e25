"""One file a part of the page; each makes its section from the paper's numbers and a bench to run cases on."""
