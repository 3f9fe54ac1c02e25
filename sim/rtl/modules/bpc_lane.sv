// SPDX-License-Identifier: Apache-2.0
/// One BPC lane: an FP16 group in, a sign row and M planes out, MSB first (Anda, Sec. IV-C, Fig. 12).
///
///     field extractor --> max-exponent catcher --> parallel-to-serial aligner --> packager
///
/// In the cycle after loading, the exponents stand in the lane: their maximum and the signs leave, and each element
/// keeps its distance to the maximum. From then on an element at distance 0 shifts out its top bit; the others emit 0
/// and come one nearer. FP16 subnormals count as exponent 1 without a hidden bit.
/// Model: sim/units/bpc.py, sim/formats/anda.py; docs/microarchitecture.md
module bpc_lane #(
  parameter int unsigned GroupSize = 64
) (
  input  logic clk_i,
  // FP16 group
  input  logic                       load_i,
  input  logic [GroupSize-1:0][15:0] group_i,
  // Rows
  input  logic                 sign_row_i,  // the present row is that of the signs
  input  logic                 step_i,      // the present row leaves
  output logic [GroupSize-1:0] row_o,
  output logic [4:0]           exponent_o   // with the sign row
);

  // Before the sign row leaves, `distance` holds the exponent.
  logic [GroupSize-1:0]       sign_q;
  logic [GroupSize-1:0][4:0]  distance_q;
  logic [GroupSize-1:0][10:0] significand_q;
  logic [4:0]                 largest;

  // Max-exponent catcher: the larger of two neighbours, then of two such pairs, and so on.
  logic [GroupSize-1:0][4:0] larger;
  always_comb begin
    larger = distance_q;
    for (int unsigned step = 1; step < GroupSize; step *= 2) begin
      for (int unsigned i = 0; i + step < GroupSize; i += 2 * step) begin
        if (larger[i+step] > larger[i]) larger[i] = larger[i+step];
      end
    end
  end
  assign largest = larger[0];

  always_comb begin
    for (int unsigned i = 0; i < GroupSize; i++) begin
      row_o[i] = sign_row_i ? sign_q[i] : distance_q[i] == '0 && significand_q[i][10];
    end
  end
  assign exponent_o = largest;

  always_ff @(posedge clk_i) begin
    for (int unsigned i = 0; i < GroupSize; i++) begin
      if (load_i) begin
        sign_q[i]        <= group_i[i][15];
        distance_q[i]    <= group_i[i][14:10] == '0 ? 5'd1 : group_i[i][14:10];
        significand_q[i] <= {group_i[i][14:10] != '0, group_i[i][9:0]};
      end else if (step_i && sign_row_i) begin
        distance_q[i] <= largest - distance_q[i];
      end else if (step_i) begin
        if (distance_q[i] == '0) significand_q[i] <= significand_q[i] << 1;
        else                     distance_q[i]    <= distance_q[i] - 5'd1;
      end
    end
  end

endmodule
