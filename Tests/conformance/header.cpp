/* The header as C++ sees it, warnings on. */
#include <ae.h>
#include <ae.h> /* twice is once */

#include <cstdio>
#include <cstring>

int main() {
  ae_model_information information = {};
  information.struct_size = sizeof information;
  bool right = ae_version() == AE_VERSION_NUMBER && ae_model_info(nullptr, &information) == AE_ERROR_ARGUMENT &&
               std::strcmp(ae_status_string(AE_ERROR_ARGUMENT), "AE_ERROR_ARGUMENT") == 0;
  std::puts(right ? "ok       ae.h compiles and links as C++" : "NOT OK   ae.h in C++");
  return right ? 0 : 1;
}
