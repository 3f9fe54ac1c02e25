// SPDX-License-Identifier: Apache-2.0
/// A signed integer as binary32, to nearest even.   Model: fl(d_g) of sim/formats/contract.py
/// 0 becomes +0; every other integer of up to 64 bits is a normal number.
module int_to_fp32 #(
  parameter int unsigned Width = 32
) (
  input  logic [Width-1:0] integer_i,  // two's complement
  output logic [31:0]      fp32_o
);

  // 24 bits of significand and one below them, at least.
  localparam int unsigned Wide = Width > 25 ? Width : 25;

  logic            negative;
  logic [Wide-1:0] magnitude, justified;
  logic [7:0]      zeros;  // leading zeros of the magnitude
  logic            round_up;
  logic [23:0]     rounded;  // carry and fraction
  logic [7:0]      exponent;

  assign negative  = integer_i[Width-1];
  assign magnitude = Wide'(Width'(negative ? -integer_i : integer_i));

  always_comb begin
    zeros = 8'(Wide);
    for (int unsigned i = 0; i < Wide; i++) begin
      if (magnitude[i]) zeros = 8'(Wide - 1 - i);
    end
  end

  assign justified = magnitude << zeros;

  // Upper 24 bits stay; guard and sticky decide, ties go to the even one.
  if (Wide > 25) begin : gen_sticky
    assign round_up = justified[Wide-25] && (justified[Wide-24] || |justified[Wide-26:0]);
  end else begin : gen_no_sticky
    assign round_up = justified[0] && justified[1];
  end
  assign rounded  = {1'b0, justified[Wide-2-:23]} + 24'(round_up);
  assign exponent = 8'(127 + Wide - 1) - zeros + 8'(rounded[23]);
  assign fp32_o   = justified[Wide-1] ? {negative, exponent, rounded[22:0]} : '0;

endmodule
